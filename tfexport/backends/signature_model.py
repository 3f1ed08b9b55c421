"""A model that has a signature and no configuration of transformers, of either framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tfexport.checkpoints.signature import NCHW, NHWC, SignatureOptions, TensorSpec, check_names, permuted
from tfexport.errors import ContractError, UnsupportedCheckpointError

Call = Callable[[Mapping[str, Any]], Mapping[str, Any]]
SINGLE_OUTPUT = "output"


class Ops(Protocol):
    """What is done to tensors on their way in and out: the module ``tensorflow``, or ``keras.ops``."""

    def cast(self, x: Any, dtype: str) -> Any:
        """A tensor of another dtype."""

    def transpose(self, x: Any, axes: Any) -> Any:
        """A tensor with its axes in another order."""


@dataclass(frozen=True)
class SignatureModel:
    """A Keras model, a signature of a SavedModel, or a ``tf.function``, called with tensors by name.

    Attributes:
        name: its class, or the signature, for messages and the manifest.
        inputs: in order, with the dtypes that the model wants; integers that are fed are cast.
        function: the model itself: tensors by name, both ways.
        loaded_by: the package that loaded it, with its version.
        ops: of its framework.
        kept: whatever must live as long as the function: TensorFlow holds the variables of a SavedModel weakly.
        inputs_as_nchw: inputs that are fed as ``(batch, channels, height, width)``; the model itself wants channels last.
        outputs_as_nchw: outputs that are given so.
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
        """For messages."""
        return self.name

    @property
    def fed(self) -> tuple[TensorSpec, ...]:
        """The inputs as they are fed."""
        return tuple(permuted(spec, NCHW) if spec.name in self.inputs_as_nchw else spec for spec in self.inputs)

    def __call__(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs by name.

        Raises:
            InputsError: there is no output of a name that is to be given as channels first.
            ContractError: an output that is to be given as channels first is not a batch of images, or not a tensor of numbers.
        """
        outputs = self.function({spec.name: self._own(spec, tensors[spec.name]) for spec in self.inputs})
        taken = {spec.name for spec in self.inputs}  # in a graph of ONNX no two values have one name
        named = {
            f"{name}_output" if name in taken else name: each for name, each in outputs.items() if each is not None
        }
        if not named:
            raise ContractError(f"{self.name} gives no output.")
        check_names(self.outputs_as_nchw, list(named), "--outputs-as-nchw (outputs_as_nchw=...)")
        return {name: self._given(name, value) for name, value in named.items()}

    def _own(self, spec: TensorSpec, tensor: Any) -> Any:
        own = self.ops.cast(tensor, spec.dtype)
        return self.ops.transpose(own, NHWC) if spec.name in self.inputs_as_nchw else own

    def _given(self, name: str, value: Any) -> Any:
        kind = "strings" if "string" in str(value.dtype) else type(value).__name__
        if kind in ("strings", "RaggedTensor", "SparseTensor", "IndexedSlices"):
            raise ContractError(
                f"the output {name} is {kind}: ONNX has plain tensors of numbers. Leave it out of the model."
            )
        if name not in self.outputs_as_nchw:
            return value
        if len(value.shape) != len(NCHW):
            raise ContractError(f"the output {name} has {len(value.shape)} axes: it is not a batch of images.")
        return self.ops.transpose(value, NCHW)


def with_options(model: SignatureModel, options: SignatureOptions) -> SignatureModel:
    """A model that is fed and read as a user asked.

    Raises:
        InputsError: a name that it does not have.
    """
    check_names(options.inputs_as_nchw, [spec.name for spec in model.inputs], "--inputs-as-nchw (inputs_as_nchw=...)")
    return replace(model, inputs_as_nchw=options.inputs_as_nchw, outputs_as_nchw=options.outputs_as_nchw)


def takes_strings(source: str, name: str) -> UnsupportedCheckpointError:
    """The error for an input of strings."""
    return UnsupportedCheckpointError(
        f"{source} takes strings ({name}): what looks words up in tables (StringLookup, TextVectorization, a tokenizer) has "
        "no counterpart in ONNX. Export the model behind it, which takes ids, and keep the lookup in the program that feeds it."
    )


def flat_outputs(structure: Any, names: Sequence[str] = ()) -> dict[str, Any]:
    """Tensors of a nested structure by name: keys and indices joined by dots.

    Args:
        structure: a tensor, or mappings and sequences of them.
        names: of a tensor alone, or of the items of a sequence; ``output``, ``output_0`` where none are known.
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
    """Names, numbered where one comes again."""
    found: list[str] = []
    for name in names:
        taken, count = name, 1
        while taken in found:
            taken, count = f"{name}_{count}", count + 1
        found.append(taken)
    return found
