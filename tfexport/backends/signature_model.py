"""A model that declares itself by a signature, in either framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Protocol

from tfexport.checkpoints.signature import NCHW, NHWC, SignatureOptions, TensorSpec, check_names, permuted
from tfexport.errors import ContractError, UnsupportedCheckpointError

Call = Callable[[Mapping[str, Any]], Mapping[str, Any]]
SINGLE_OUTPUT = "output"
LARGEST_INPUT = 2**28
"""Values of an input, of which several are made: a gibibyte in float32."""


class Ops(Protocol):
    """Operations on inputs and outputs: the module ``tensorflow``, or ``keras.ops``."""

    def cast(self, x: Any, dtype: str) -> Any:
        """Return a tensor of another dtype."""

    def transpose(self, x: Any, axes: Any) -> Any:
        """Return a tensor with its axes in another order."""


@dataclass(frozen=True)
class SignatureModel:
    """A Keras model, a signature of a SavedModel, or a ``tf.function``, called with tensors by name.

    Attributes:
        name: Name of the class or of the signature, for messages and the manifest.
        inputs: Inputs in order, with the dtypes that the model wants; integers that are fed are cast.
        function: The model itself, from tensors by name to tensors by name.
        loaded_by: The package that loaded the model, with its version.
        ops: Operations of the framework.
        kept: Any object that must live as long as the function: TensorFlow holds the variables of a SavedModel weakly.
        inputs_as_nchw: Names of the inputs that are fed as ``(batch, channels, height, width)``; the model wants channels last.
        outputs_as_nchw: Names of the outputs that are returned as ``(batch, channels, height, width)``.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    function: Call
    loaded_by: str
    ops: Ops
    kept: Any = None
    inputs_as_nchw: tuple[str, ...] = ()
    outputs_as_nchw: tuple[str, ...] = ()

    @property
    def known_as(self) -> str:
        """Name of the model, for messages."""
        return self.name

    @property
    def fed(self) -> tuple[TensorSpec, ...]:
        """Inputs as they are fed."""
        return tuple(permuted(spec, NCHW) if spec.name in self.inputs_as_nchw else spec for spec in self.inputs)

    def __call__(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs by name.

        Raises:
            InputsError: The model has no output of a name in `outputs_as_nchw`.
            ContractError: The model returns nothing, or an output that is not a dense tensor of numbers; an output in
                `outputs_as_nchw` is not a batch of images.
        """
        outputs = self.function({spec.name: self._own(spec, tensors[spec.name]) for spec in self.inputs})
        taken = {spec.name for spec in self.inputs}  # no two values of an ONNX graph have the same name
        named = {
            f"{name}_output" if name in taken else name: each for name, each in outputs.items() if each is not None
        }
        if not named:
            raise ContractError(f"{self.name} returns no output. Expected at least one tensor.")
        check_names(self.outputs_as_nchw, list(named), "--outputs-as-nchw (outputs_as_nchw=...)")
        return {name: self._returned(name, value) for name, value in named.items()}

    def _own(self, spec: TensorSpec, tensor: Any) -> Any:
        own = self.ops.cast(tensor, spec.dtype)
        return self.ops.transpose(own, NHWC) if spec.name in self.inputs_as_nchw else own

    def _returned(self, name: str, value: Any) -> Any:
        kind = "strings" if "string" in str(value.dtype) else type(value).__name__
        if kind in ("strings", "RaggedTensor", "SparseTensor", "IndexedSlices"):
            raise ContractError(
                f"the output {name} is {kind}: ONNX has only dense tensors of numbers. Leave it out of the model."
            )
        if name not in self.outputs_as_nchw:
            return value
        if len(value.shape) != len(NCHW):
            raise ContractError(
                f"the output {name} has {len(value.shape)} axes: it is not a batch of images. Leave it out of "
                "--outputs-as-nchw (outputs_as_nchw=...)."
            )
        return self.ops.transpose(value, NCHW)


def with_options(model: SignatureModel, options: SignatureOptions) -> SignatureModel:
    """Return a model whose images are fed and returned in the user's order of axes.

    Raises:
        InputsError: The model has no input of a name in `inputs_as_nchw`.
        UnsupportedCheckpointError: An input has more values than memory holds, whatever its dynamic axes are.
    """
    for spec in model.inputs:
        fixed = prod(length for length in spec.shape if length is not None)
        if fixed > LARGEST_INPUT:
            raise UnsupportedCheckpointError(
                f"{model.name} accepts {spec.name} of shape {list(spec.shape)} only: {fixed:,} values, and at most "
                f"{LARGEST_INPUT:,} can be tried. Build the model with dynamic axes, or with smaller ones."
            )
    check_names(options.inputs_as_nchw, [spec.name for spec in model.inputs], "--inputs-as-nchw (inputs_as_nchw=...)")
    return replace(model, inputs_as_nchw=options.inputs_as_nchw, outputs_as_nchw=options.outputs_as_nchw)


def takes_strings(source: str, name: str) -> UnsupportedCheckpointError:
    """Return the error for an input of strings."""
    return UnsupportedCheckpointError(
        f"{source} takes strings ({name}): layers that look words up in tables (StringLookup, TextVectorization, a tokenizer) "
        "have no counterpart in ONNX. Export the part of the model that takes ids, and look words up in the calling program."
    )


def flat_outputs(structure: Any, names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the tensors of a nested structure by name: keys and indices joined by dots.

    Args:
        structure: A tensor, or nested mappings and sequences of tensors.
        names: Name of a single tensor, or of each item of a sequence; ``output``, ``output_0``, ... where unknown.
    """
    if isinstance(structure, Mapping):
        return dict(_leaves(structure))
    if isinstance(structure, (list, tuple)):
        own = names if len(names) == len(structure) else [f"{SINGLE_OUTPUT}_{index}" for index in range(len(structure))]
        return dict(_leaves(dict(zip(own, structure, strict=True))))
    return {names[0] if len(names) == 1 else SINGLE_OUTPUT: structure}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        if value is not None:
            yield path, value
        return
    for key, item in items:
        yield from _leaves(item, f"{path}.{key}" if path else key)


def unique(names: Sequence[str]) -> list[str]:
    """Return names, numbered where one is repeated."""
    found: list[str] = []
    for name in names:
        taken, count = name, 1
        while taken in found:
            taken, count = f"{name}_{count}", count + 1
        found.append(taken)
    return found
