"""Which axes of a model's outputs are dynamic, and which axis of its inputs each follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tfexport.declarations.probing.trial import Inputs, Lengths, Shapes, Trial, axis_name
from tfexport.dummy_inputs.sizes import Axes
from tfexport.errors import InputsError

_FARTHER = (3, 16, 256)
"""Factors of the length that the model is traced with; the later ones are tried where no output has changed."""
_DRAWS = 3
"""Draws of values, to see whether the outputs have the same shape for each."""


def output_axes(trial: Trial, inputs: Inputs, lengths: Sequence[Lengths]) -> dict[str, Axes]:
    """Return the dynamic axes of each output, named after the axis of the inputs that is always as long, or by their own name.

    Args:
        trial: The model.
        inputs: Names of the dynamic axes, by input.
        lengths: Sets of lengths that the model takes, the first for tracing.

    Raises:
        InputsError: The rank of an output, or whether it exists, depends on the input.
    """
    base = lengths[0]
    seen = [(each, shapes) for each in lengths if (shapes := trial.shapes(inputs, each)) is not None]
    for label in base:
        seen += _farther(trial, inputs, base, label, seen)
    for seed in range(_DRAWS):
        made = trial.shapes(inputs, base, trial.arrays(inputs, base, "drawn", seed))
        seen += [] if made is None else [(base, made)]
    found: dict[str, Axes] = {}
    for name, shape in seen[0][1].items():
        _check_rank(trial, name, [shapes.get(name) for _, shapes in seen])
        named = trial.options.axis_names.get(name, {})
        found[name] = {
            axis: named.get(axis) or _always_as_long(seen, name, axis) or axis_name(name, axis)
            for axis in range(len(shape))
            if len({shapes[name][axis] for _, shapes in seen}) > 1
        }
    return found


def _farther(
    trial: Trial, inputs: Inputs, base: Lengths, label: str, seen: Sequence[tuple[Lengths, Shapes]]
) -> Iterator[tuple[Lengths, Shapes]]:
    """Yield shapes for much larger lengths of one axis, where no smaller one changes them: some models take big strides."""
    first = seen[0][1]
    changed = any(
        shapes != first for each, shapes in seen if all(each[other] == base[other] for other in base if other != label)
    )
    for times in _FARTHER:
        lengths = {**base, label: base[label] * times}
        if changed or trial.too_large(inputs, lengths):
            return
        made = trial.shapes(inputs, lengths)
        if made is not None:
            yield lengths, made
            changed = made != first


def _always_as_long(seen: Sequence[tuple[Lengths, Shapes]], name: str, axis: int) -> str | None:
    """Return the axis of the inputs that is always as long as an axis of an output."""
    labels = seen[0][0]
    return next((label for label in labels if all(shapes[name][axis] == each[label] for each, shapes in seen)), None)


def _check_rank(trial: Trial, name: str, shapes: Sequence[tuple[int, ...] | None]) -> None:
    if len({None if shape is None else len(shape) for shape in shapes}) > 1:
        raise InputsError(
            f"the output {name} of {trial.source} changes its rank, or disappears, depending on the input (seen: "
            f"{', '.join('none' if shape is None else str(shape) for shape in dict.fromkeys(shapes))}). An output of ONNX has a "
            "fixed rank: fix the input shape by --input-shape (input_shapes=...)."
        )
