"""Find out what a model takes and gives, where nothing but its signature is known: run it, and look.

A signature says which axes are dynamic, not which lengths a model takes there (a U-Net takes multiples of 16), nor
which axes of several inputs must be as long as each other, nor how many ids an embedding has. All that is asked here of
the model itself, with inputs as small as it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from tfexport.dummy_inputs.tensors import Tensor, tensor_of
from tfexport.errors import InputsError, TracingError
from tfexport.signature import SignatureOptions, TensorSpec, check_names
from tfexport.signature_config import SignatureConfig
from tfexport.tasks import Axes

Run = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
"""The model: outputs by name. Raises `TracingError` on inputs that it does not take."""
BATCH = "batch"
_PRIMES = (5, 7, 11, 13, 17, 19, 23)
_BATCH = 2
_STEPS = tuple(2**power for power in range(15))
_SMALLEST_IMAGE = 16
"""Pixels, of which images have five times as many or more: convolutions and ONNX Runtime differ on images of a few pixels."""
_IMAGE_RANK = 4
_LARGEST_INPUT = 4_000_000
"""Elements: lengths beyond are not tried."""
_FARTHER = (3, 16, 256)
"""Times as long as the length that the model is traced with: the later ones where no output has changed."""
_DRAWS = 3
"""Of values, to see whether outputs have as many elements for each."""
_MOST_IDS = 2**20
_MOST_STEPS = 16
"""Of a number alone: it may count the steps of a loop."""


def declare(specs: Sequence[TensorSpec], run: Run, options: SignatureOptions, source: str) -> SignatureConfig:
    """The declaration of a model.

    Args:
        specs: its inputs, with the shapes that a user gave.
        run: runs it.
        options: names of axes that a user gave.
        source: the model's name, for messages.

    Raises:
        InputsError: it fails on every shape that was tried, or a name is of nothing that it has.
    """
    return _Probe(specs, run, options, source).declared()


class _Probe:
    def __init__(self, specs: Sequence[TensorSpec], run: Run, options: SignatureOptions, source: str) -> None:
        self._specs = tuple(specs)
        self._run = run
        self._options = options
        self._source = source
        self._tensors = {spec.name: tensor_of(spec.name, spec.dtype) for spec in specs}
        self._failure: TracingError | None = None
        self._may_be_empty = False
        named = [self._named(spec).get(0) for spec in specs if spec.shape and spec.shape[0] is None]
        self._batch = next(filter(None, named), BATCH)
        """What the first axes are called that nobody named: as the batch of another input."""
        self._batches = {self._named(spec).get(0, self._batch) for spec in specs if len(spec.shape) > 1}
        """Names of axes that count samples. The one axis of an input may be anything, such as the samples of a sound."""

    def declared(self) -> SignatureConfig:
        inputs, base, step = self._shape_that_runs()
        self._fill(inputs, base)
        lengths, units = self._lengths(inputs, base, step)
        outputs = self._outputs(inputs, base, units)
        known = [spec.name for spec in self._specs] + list(outputs)
        check_names(self._options.axis_names, known, "names of axes")
        self._check_axes({**inputs, **outputs})
        caveats = [
            f"the axis {label} takes multiples of {unit} only: so it was tried, and the model fails on other lengths."
            for label, unit in units.items()
            if unit > 1
        ]
        return SignatureConfig(self._specs, inputs, outputs, self._tensors, lengths, caveats)

    def _shape_that_runs(self) -> tuple[dict[str, Axes], dict[str, int], int]:
        """Axes by input, a length for each, and the number of which the lengths are multiples."""
        steps = [step for step in _STEPS if step >= _SMALLEST_IMAGE or not any(map(_has_size, self._specs))]
        without_outputs: tuple[dict[str, Axes], dict[str, int], int] | None = None
        for step in steps:
            for inputs in self._labellings():
                labels = list(dict.fromkeys(chain.from_iterable(axes.values() for axes in inputs.values())))
                batches = [label for label in labels if label in self._batches]
                others = [label for label in labels if label not in self._batches]
                base = {label: _BATCH + index for index, label in enumerate(batches)} | {
                    label: step * _PRIMES[index % len(_PRIMES)] for index, label in enumerate(others)
                }
                base = {label: base[label] for label in labels}
                if self._too_large(inputs, base) and step != steps[0]:
                    break
                outputs = self._outputs_of(inputs, base)
                if outputs is not None and _has_elements(outputs):
                    return inputs, base, step
                if outputs is not None and without_outputs is None:
                    without_outputs = (
                        inputs,
                        base,
                        step,
                    )  # a sound that is shorter than a frame, or nothing is found in it
            if not others or (self._too_large(inputs, base) and step != steps[0]):
                break
        if without_outputs is not None:
            self._may_be_empty = True
            return without_outputs
        told = ", ".join(map(str, self._specs)) or "no input"
        raise InputsError(
            f"{self._source} takes {told}, and fails on every shape that was tried: {self._failure}. Give a shape that it "
            "takes by --input-shape NAME=FIRST,SECOND,... (input_shapes=...), with ? for an axis that is dynamic."
        ) from self._failure

    def _labellings(self) -> Iterator[dict[str, Axes]]:
        """Names of the dynamic axes by input: each its own; then those at one place alike, of inputs whose names begin alike
        (``encoder_token_ids``, ``encoder_padding_mask``), and of all."""
        apart = {spec.name: self._axes(spec, spec.name) for spec in self._specs}
        yielded: list[dict[str, Axes]] = []
        for together in (lambda name: name, lambda name: name.split("_")[0], lambda name: ""):
            first: dict[tuple[str, int], str] = {}
            labels: dict[str, Axes] = {}
            for spec in self._specs:
                named, group = self._named(spec), together(spec.name)
                labels[spec.name] = {
                    axis: named.get(axis) or first.setdefault((group, axis), label)
                    for axis, label in apart[spec.name].items()
                }
            if labels not in yielded:
                yielded.append(labels)
                yield labels

    def _axes(self, spec: TensorSpec, name: str) -> Axes:
        named = self._named(spec)
        return {
            axis: named.get(axis) or (self._batch if axis == 0 else axis_name(name, axis))
            for axis, length in enumerate(spec.shape)
            if length is None
        }

    def _named(self, spec: TensorSpec) -> dict[int, str]:
        """Names that the user gave."""
        asked = self._options.input_shapes.get(spec.name, ())
        named = {axis: each for axis, each in enumerate(asked) if isinstance(each, str)}
        return named | dict(self._options.axis_names.get(spec.name, {}))

    def _too_large(self, inputs: Mapping[str, Axes], lengths: Mapping[str, int]) -> bool:
        return any(
            np.prod([float(n) for n in _shape(spec, inputs, lengths)] or [1.0]) > _LARGEST_INPUT for spec in self._specs
        )

    def _runs(self, inputs: Mapping[str, Axes], lengths: Mapping[str, int]) -> bool:
        outputs = self._outputs_of(inputs, lengths)
        return outputs is not None and (self._may_be_empty or _has_elements(outputs))

    def _outputs_of(
        self,
        inputs: Mapping[str, Axes],
        lengths: Mapping[str, int],
        filled: Mapping[str, np.ndarray] | None = None,
    ) -> Mapping[str, np.ndarray] | None:
        """What the model gives for zeros of such lengths, or for arrays of some inputs; None where it fails."""
        arrays = {
            spec.name: self._tensors[spec.name].array(_shape(spec, inputs, lengths), "zeros") for spec in self._specs
        }
        try:
            return self._run(arrays | dict(filled or {}))
        except TracingError as error:
            self._failure = error
            return None

    def _fill(self, inputs: Mapping[str, Axes], base: Mapping[str, int]) -> None:
        """Find what each input can be filled with: ids below a limit, or numbers, negative ones among them."""
        for spec in self._specs:
            shape = _shape(spec, inputs, base)
            tensor = self._tensors[spec.name]
            if not np.prod(shape, dtype=np.int64):
                continue

            def takes(value: float, shape: tuple[int, ...] = shape, spec: TensorSpec = spec) -> bool:
                return self._outputs_of(inputs, base, {spec.name: np.full(shape, value, spec.dtype)}) is not None

            if tensor.content == "numbers" and not takes(-3.0):
                tensor = Tensor(spec.name, spec.dtype, "ids")  # an embedding that reads floats
            if tensor.content == "ids" and spec.dtype not in ("bool", "uint8"):
                most = _MOST_IDS if spec.shape else _MOST_STEPS
                if np.dtype(spec.dtype).kind in "iu":
                    most = min(most, int(np.iinfo(spec.dtype).max))
                tensor = replace(tensor, limit=_limit(takes, most))
            self._tensors[spec.name] = tensor

    def _lengths(
        self, inputs: Mapping[str, Axes], base: Mapping[str, int], step: int
    ) -> tuple[list[dict[str, int]], dict[str, int]]:
        """Sets of lengths that the model takes, the first for tracing, and what the lengths of each axis are multiples of."""
        units = {
            label: next((n for n in _STEPS if n < step and self._runs(inputs, {**base, label: base[label] + n})), step)
            if label not in self._batches
            else 1
            for label in base
        }
        least = {
            label: next(
                (
                    n
                    for n in (units[label], 2 * units[label])
                    if n * _PRIMES[0] > _SMALLEST_IMAGE or not any(map(_has_size, self._specs))
                    if self._runs(inputs, {**base, label: n})
                ),
                base[label],
            )
            for label in base
        }
        found: list[dict[str, int]] = [dict(base)]
        for candidate in (
            {label: least[label] for label in base},
            {label: base[label] + units[label] for label in base},
            {label: 1 if label in self._batches else base[label] + 2 * units[label] for label in base},
            *({**base, label: base[label] + units[label]} for label in base),
        ):
            if candidate not in found and self._runs(inputs, candidate):
                found.append(candidate)
        fixed = [label for label in base if len({each[label] for each in found}) < 2]
        if fixed:
            raise InputsError(
                f"{self._source} declares the axis {fixed[0]} dynamic, and takes no length but {base[fixed[0]]} of those "
                f"tried: {self._failure}. Fix it by --input-shape (input_shapes=...)."
            )
        return found, units

    def _outputs(
        self, inputs: Mapping[str, Axes], base: Mapping[str, int], units: Mapping[str, int]
    ) -> dict[str, Axes]:
        """Dynamic axes of each output, under the name of the axis that they are as long as, or one of their own."""
        first = self._outputs_of(inputs, base)
        assert first is not None
        varied = {label: self._varied(inputs, base, label, units[label], first) for label in base}
        other_values = [
            self._outputs_of(inputs, base, self._drawn(inputs, base, seed)) or first for seed in range(_DRAWS)
        ]
        found: dict[str, Axes] = {}
        for name, array in first.items():
            named = self._options.axis_names.get(name, {})
            axes: dict[int, str] = {}
            for axis, length in enumerate(array.shape):
                by = [
                    label
                    for label, outputs in varied.items()
                    if any(other[name].shape[axis] != length for other in outputs.values())
                ]
                same = [
                    label
                    for label in by
                    if length == base[label]
                    and all(other[name].shape[axis] == asked for asked, other in varied[label].items())
                ]
                if by or any(other[name].shape[axis] != length for other in other_values):
                    axes[axis] = named.get(axis) or (same[0] if by == same and len(by) == 1 else axis_name(name, axis))
            found[name] = axes
        return found

    def _drawn(self, inputs: Mapping[str, Axes], lengths: Mapping[str, int], seed: int) -> dict[str, np.ndarray]:
        return {
            spec.name: self._tensors[spec.name].array(_shape(spec, inputs, lengths), "drawn", seed)
            for spec in self._specs
        }

    def _varied(
        self,
        inputs: Mapping[str, Axes],
        base: Mapping[str, int],
        label: str,
        unit: int,
        first: Mapping[str, np.ndarray],
    ) -> dict[int, Mapping[str, np.ndarray]]:
        """Outputs by other lengths of one axis: far enough apart that those show it which take big strides."""
        found: dict[int, Mapping[str, np.ndarray]] = {}
        shapes = {name: array.shape for name, array in first.items()}
        for length in (base[label] + unit, *(base[label] * times for times in _FARTHER)):
            lengths = {**base, label: length}
            seen = any({name: array.shape for name, array in each.items()} != shapes for each in found.values())
            if (seen and length > _FARTHER[0] * base[label]) or (found and self._too_large(inputs, lengths)):
                break
            outputs = self._outputs_of(inputs, lengths)
            if outputs is not None:
                found[length] = outputs
        return found

    def _check_axes(self, axes: Mapping[str, Axes]) -> None:
        """Refuse names of axes that are not dynamic."""
        for name, named in self._options.axis_names.items():
            wrong = [axis for axis in named if axis not in axes[name]]
            if wrong:
                raise InputsError(
                    f"names of axes were given for {name}, whose axis {wrong[0]} has one length only or is not there; its "
                    f"dynamic axes are {', '.join(map(str, axes[name])) or 'none'}."
                )


def axis_name(name: str, axis: int) -> str:
    """Of a dynamic axis that has no better one: ``tokens_axis_1``."""
    return f"{name}_axis_{axis}"


def _has_elements(outputs: Mapping[str, np.ndarray]) -> bool:
    return all(array.size for array in outputs.values())


def _has_size(spec: TensorSpec) -> bool:
    """Whether an input is a batch of images of any size: none is as small as a network may take in principle."""
    return len(spec.shape) == _IMAGE_RANK and sum(length is None for length in spec.shape[1:]) == 2


def _shape(spec: TensorSpec, inputs: Mapping[str, Axes], lengths: Mapping[str, int]) -> tuple[int, ...]:
    axes = inputs[spec.name]
    return tuple(lengths[axes[axis]] if length is None else length for axis, length in enumerate(spec.shape))


def _limit(takes: Callable[[float], bool], most: int) -> int:
    """The number of ids that a model takes: all are below it. At most `most`."""
    if takes(most - 1):
        return most
    low, high = 0, 1  # an id that it takes, and one that is not known
    while high < most - 1 and takes(high):
        low, high = high, high * 4
    high = min(high, most - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    return low + 1
