"""A model on trial: it runs on zeros of some lengths, or on other values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tfexport.checkpoints.signature import SignatureOptions, TensorSpec
from tfexport.dummy_inputs.sizes import Axes
from tfexport.dummy_inputs.tensors import tensor_of
from tfexport.dummy_inputs.values import Values
from tfexport.errors import InputsError, ProcessError, TfExportError, TracingError

Arrays = Mapping[str, np.ndarray]
Inputs = Mapping[str, Axes]
"""Names of the dynamic axes of each input."""
Lengths = Mapping[str, int]
"""Lengths of the dynamic axes, by name."""
Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of the outputs, by name."""


class HasShape(Protocol):
    """An output of the model: an array, or only its shape."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all axes."""


@dataclass(frozen=True)
class Shaped:
    """An output that was computed elsewhere.

    Attributes:
        shape: Lengths of all axes.
    """

    shape: tuple[int, ...]


Run = Callable[[Arrays], Mapping[str, HasShape]]
"""The model: returns outputs by name. Raises `TracingError` on inputs that the model does not take, and `ProcessError` on inputs
that end its process, or need more memory or time than it may take."""

BATCH = "batch"
_LARGEST_INPUT = 4_000_000
"""Elements of the largest input that is tried."""
_IMAGE_RANK = 4


class Trial:
    """A model and the results of its runs so far.

    Args:
        specs: The inputs.
        run: Function that runs the model.
        options: The user's names of axes.
        source: Name of the model, for messages.
        careful: Whether a bad value would end this process, so that values grow gradually and stay small where they may size
            a tensor.

    Attributes:
        tensors: Contents of each input.
        failure: Error of the last run that failed.
        deaths: Number of runs that ended the model's process, or needed more memory or time than it may take.
        may_be_empty: Whether outputs without an element are enough, because no lengths gave other ones.
        batch: Name of a first axis that the user has not named: that of the batch of another input.
        batches: Names of the axes that count samples. The single axis of an input may be anything, such as the samples of a
            sound.
    """

    def __init__(
        self, specs: Sequence[TensorSpec], run: Run, options: SignatureOptions, source: str, careful: bool = False
    ) -> None:
        self.specs = tuple(specs)
        self.options = options
        self.source = source
        self.tensors = {spec.name: tensor_of(spec.name, spec.dtype) for spec in specs}
        self.careful = careful
        self.failure: TfExportError = TracingError("the model has not failed")
        self.deaths = 0
        self.may_be_empty = False
        first = [self.named(spec).get(0) for spec in specs if spec.shape and spec.shape[0] is None]
        self.batch = next(filter(None, first), BATCH)
        self.batches = {self.named(spec).get(0, self.batch) for spec in specs if len(spec.shape) > 1}
        self._run = run
        self._seen: dict[tuple[tuple[int, ...], ...], Shapes] = {}

    @property
    def has_images(self) -> bool:
        """Whether an input is a batch of images of any size. Images are not tried as small as a network may take in principle."""
        return any(
            len(spec.shape) == _IMAGE_RANK and sum(length is None for length in spec.shape[1:]) == 2
            for spec in self.specs
        )

    def named(self, spec: TensorSpec) -> dict[int, str]:
        """Return the user's names of the axes of an input."""
        asked = self.options.input_shapes.get(spec.name, ())
        named = {axis: each for axis, each in enumerate(asked) if isinstance(each, str)}
        return named | dict(self.options.axis_names.get(spec.name, {}))

    def too_large(self, inputs: Inputs, lengths: Lengths) -> bool:
        """Whether an input of such lengths is too large to be tried."""
        sizes = (np.prod([float(n) for n in shape_of(spec, inputs, lengths)] or [1.0]) for spec in self.specs)
        return any(size > _LARGEST_INPUT for size in sizes)

    def runs(self, inputs: Inputs, lengths: Lengths) -> bool:
        """Whether the model takes such lengths and returns elements."""
        shapes = self.shapes(inputs, lengths)
        return shapes is not None and (self.may_be_empty or has_elements(shapes))

    def shapes(self, inputs: Inputs, lengths: Lengths, filled: Arrays | None = None) -> Shapes | None:
        """Return the shapes of the outputs for zeros of such lengths, or for arrays; None where the model fails.

        The model runs on zeros once.
        """
        sizes = tuple(shape_of(spec, inputs, lengths) for spec in self.specs)
        if filled is None and sizes in self._seen:
            return self._seen[sizes]
        try:
            outputs = self._run({**self.arrays(inputs, lengths, "zeros"), **(filled or {})})
        except (TracingError, ProcessError) as error:
            self.failure = error
            self.deaths += isinstance(error, ProcessError)
            return None
        found = {name: tuple(output.shape) for name, output in outputs.items()}
        if filled is None:
            self._seen[sizes] = found
        return found

    def arrays(self, inputs: Inputs, lengths: Lengths, values: Values, seed: int = 0) -> dict[str, np.ndarray]:
        """Return inputs of such lengths."""
        return {
            spec.name: self.tensors[spec.name].array(shape_of(spec, inputs, lengths), values, seed)
            for spec in self.specs
        }

    def check_names_of_axes(self, axes: Inputs) -> None:
        """Refuse names of axes that are not dynamic.

        Raises:
            InputsError: The user has named such an axis.
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
    """Return the name of a dynamic axis that has no better one: ``tokens_axis_1``."""
    return f"{name}_axis_{axis}"


def shape_of(spec: TensorSpec, inputs: Inputs, lengths: Lengths) -> tuple[int, ...]:
    """Return the shape of an input."""
    axes = inputs[spec.name]
    return tuple(lengths[axes[axis]] if length is None else length for axis, length in enumerate(spec.shape))
