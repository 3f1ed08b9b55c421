"""A model on trial: run on zeros of some lengths, or on other values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfexport.checkpoints.signature import SignatureOptions, TensorSpec
from tfexport.dummy_inputs.sizes import Axes
from tfexport.dummy_inputs.tensors import tensor_of
from tfexport.dummy_inputs.values import Values
from tfexport.errors import InputsError, TracingError

Arrays = Mapping[str, np.ndarray]
Inputs = Mapping[str, Axes]
"""Names of the dynamic axes of each input."""
Lengths = Mapping[str, int]
"""Of the dynamic axes, by name."""
Run = Callable[[Arrays], Arrays]
"""The model: outputs by name. Raises `TracingError` on inputs that it does not take."""
Shapes = Mapping[str, tuple[int, ...]]
"""Of the outputs, by name."""

BATCH = "batch"
_LARGEST_INPUT = 4_000_000
"""Elements: lengths beyond are not tried."""
_IMAGE_RANK = 4


class Trial:
    """What runs, and what is known of it.

    Args:
        specs: the inputs.
        run: runs the model.
        options: names of axes that a user gave.
        source: the model's name, for messages.

    Attributes:
        tensors: what each input is filled with.
        failure: why the model failed when it last did.
        may_be_empty: whether outputs without an element will do: nothing else was had.
        batch: what a first axis is called that nobody named: as the batch of another input.
        batches: names of the axes that count samples. The one axis of an input may be anything, such as the samples of a sound.
    """

    def __init__(self, specs: Sequence[TensorSpec], run: Run, options: SignatureOptions, source: str) -> None:
        self.specs = tuple(specs)
        self.options = options
        self.source = source
        self.tensors = {spec.name: tensor_of(spec.name, spec.dtype) for spec in specs}
        self.failure: TracingError | None = None
        self.may_be_empty = False
        first = [self.named(spec).get(0) for spec in specs if spec.shape and spec.shape[0] is None]
        self.batch = next(filter(None, first), BATCH)
        self.batches = {self.named(spec).get(0, self.batch) for spec in specs if len(spec.shape) > 1}
        self._run = run
        self._seen: dict[tuple[tuple[int, ...], ...], Shapes] = {}

    @property
    def has_images(self) -> bool:
        """Whether an input is a batch of images of any size: none is as small as a network may take in principle."""
        return any(
            len(spec.shape) == _IMAGE_RANK and sum(length is None for length in spec.shape[1:]) == 2
            for spec in self.specs
        )

    def named(self, spec: TensorSpec) -> dict[int, str]:
        """Names that the user gave to axes of an input."""
        asked = self.options.input_shapes.get(spec.name, ())
        named = {axis: each for axis, each in enumerate(asked) if isinstance(each, str)}
        return named | dict(self.options.axis_names.get(spec.name, {}))

    def too_large(self, inputs: Inputs, lengths: Lengths) -> bool:
        """Whether an input of such lengths is not to be tried."""
        sizes = (np.prod([float(n) for n in shape_of(spec, inputs, lengths)] or [1.0]) for spec in self.specs)
        return any(size > _LARGEST_INPUT for size in sizes)

    def runs(self, inputs: Inputs, lengths: Lengths) -> bool:
        """Whether the model takes such lengths, and gives something."""
        shapes = self.shapes(inputs, lengths)
        return shapes is not None and (self.may_be_empty or has_elements(shapes))

    def shapes(self, inputs: Inputs, lengths: Lengths, filled: Arrays | None = None) -> Shapes | None:
        """What the model gives for zeros of such lengths, which it is run on once, or for arrays; None where it fails."""
        sizes = tuple(shape_of(spec, inputs, lengths) for spec in self.specs)
        if filled is None and sizes in self._seen:
            return self._seen[sizes]
        try:
            outputs = self._run({**self.arrays(inputs, lengths, "zeros"), **(filled or {})})
        except TracingError as error:
            self.failure = error
            return None
        found = {name: array.shape for name, array in outputs.items()}
        if filled is None:
            self._seen[sizes] = found
        return found

    def arrays(self, inputs: Inputs, lengths: Lengths, values: Values, seed: int = 0) -> dict[str, np.ndarray]:
        """Inputs of such lengths."""
        return {
            spec.name: self.tensors[spec.name].array(shape_of(spec, inputs, lengths), values, seed)
            for spec in self.specs
        }

    def check_names_of_axes(self, axes: Inputs) -> None:
        """Refuse names for axes that are not dynamic.

        Raises:
            InputsError: there is one.
        """
        for name, named in self.options.axis_names.items():
            wrong = [axis for axis in named if axis not in axes[name]]
            if wrong:
                raise InputsError(
                    f"--axis-names (axis_names=...) names axis {wrong[0]} of {name}, which is not dynamic; its dynamic axes "
                    f"are {', '.join(map(str, axes[name])) or 'none'}."
                )


def has_elements(shapes: Shapes) -> bool:
    """Whether no output is empty."""
    return all(0 not in shape for shape in shapes.values())


def axis_name(name: str, axis: int) -> str:
    """Of a dynamic axis that has no better one: ``tokens_axis_1``."""
    return f"{name}_axis_{axis}"


def shape_of(spec: TensorSpec, inputs: Inputs, lengths: Lengths) -> tuple[int, ...]:
    """The shape of an input."""
    axes = inputs[spec.name]
    return tuple(lengths[axes[axis]] if length is None else length for axis, length in enumerate(spec.shape))
