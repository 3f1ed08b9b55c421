"""Which axes must be equally long, and which lengths a model takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain, combinations

from tfexport.checkpoints.signature import TensorSpec
from tfexport.declarations.probing.trial import Inputs, Lengths, Trial, axis_name, has_elements
from tfexport.dummy_inputs.sizes import Axes
from tfexport.errors import InputsError

_PRIMES = (5, 7, 11, 13, 17, 19, 23)
_BATCH = 2
_STEPS = tuple(2**power for power in range(15))
_SMALLEST_IMAGE = 16
"""Pixels; images have five times as many or more, because convolutions and ONNX Runtime differ on images of a few pixels."""
_OTHER = "other"
_MOST_TIED = 7
"""Axes of one name that are tried separately; where there are more, all are taken to be equally long."""


def axes_that_run(trial: Trial) -> tuple[Inputs, dict[str, int], int]:
    """Return the axes by input, a length for each, and the number of which the lengths are multiples.

    Raises:
        InputsError: The model fails on all lengths that are tried.
    """
    empty: tuple[Inputs, dict[str, int], int] | None = None
    steps = [step for step in _STEPS if step >= _SMALLEST_IMAGE or not trial.has_images]
    for step in steps:
        for inputs in _labellings(trial):
            base = _distinct(trial, inputs, step)
            if step > steps[0] and trial.too_large(inputs, base):
                break
            shapes = trial.shapes(inputs, base)
            if shapes is None:
                continue
            if has_elements(shapes):
                parted = _parted(trial, inputs, base, step)
                return parted, _distinct(trial, parted, step), step
            empty = empty or (inputs, base, step)  # a sound that is shorter than a frame, or nothing is found in it
        if set(base) <= trial.batches or (step > steps[0] and trial.too_large(inputs, base)):
            break
    if empty is not None:
        trial.may_be_empty = True
        return empty
    listed = ", ".join(map(str, trial.specs)) or "no input"
    raise InputsError(
        f"{trial.source} takes {listed}, and fails on every shape that was tried: {trial.failure}. Give a shape that it "
        f"takes by --input-shape NAME=FIRST,SECOND,... (input_shapes=...), with ? for an axis that is dynamic.{_hint(trial)}"
    ) from trial.failure


def lengths_that_run(
    trial: Trial, inputs: Inputs, base: Lengths, step: int
) -> tuple[list[dict[str, int]], dict[str, int]]:
    """Return sets of lengths that the model takes, the first for tracing, and the unit of each axis's lengths.

    Raises:
        InputsError: A dynamic axis takes only one length.
    """
    units = {
        label: 1
        if label in trial.batches
        else next((n for n in _STEPS if n < step and trial.runs(inputs, {**base, label: base[label] + n})), step)
        for label in base
    }
    least = {label: _least(trial, inputs, base, label, units[label]) for label in base}
    found: list[dict[str, int]] = [dict(base)]
    for candidate in (
        least,
        {label: base[label] + units[label] for label in base},
        {label: 1 if label in trial.batches else base[label] + 2 * units[label] for label in base},
        *({**base, label: 2 * base[label]} for label in base),
        *({**base, label: base[label] + units[label]} for label in base),
    ):
        if candidate not in found and trial.runs(inputs, candidate):
            found.append(candidate)
    fixed = [label for label in base if len({each[label] for each in found}) < 2]
    if fixed:
        raise InputsError(
            f"{trial.source} declares the axis {fixed[0]} dynamic, and takes only the length {base[fixed[0]]} of those that "
            f"were tried: {trial.failure}. Fix the length by --input-shape (input_shapes=...).{_hint(trial)}"
        )
    return found, units


def _hint(trial: Trial) -> str:
    """Return a further way out for a model whose values stay small."""
    careful = (
        " It runs here, with small values only: save it to a file that needs no code of yours, and export the file."
    )
    return careful if trial.careful else ""


def _least(trial: Trial, inputs: Inputs, base: Lengths, label: str, unit: int) -> int:
    if trial.has_images and label not in trial.batches:
        return base[label]
    return next((n for n in (unit, 2 * unit) if trial.runs(inputs, {**base, label: n})), base[label])


def _labellings(trial: Trial) -> Iterator[Inputs]:
    """Yield names of the dynamic axes by input: first a name per axis, then one name for the same axis of several inputs."""
    separate = {spec.name: _axes(trial, spec) for spec in trial.specs}
    yield separate
    first: dict[int, str] = {}
    common: dict[str, Axes] = {}
    for spec in trial.specs:
        named = trial.named(spec)
        common[spec.name] = {
            axis: named.get(axis) or first.setdefault(axis, label) for axis, label in separate[spec.name].items()
        }
    if common != separate:
        yield common


def _axes(trial: Trial, spec: TensorSpec) -> Axes:
    named = trial.named(spec)
    return {
        axis: named.get(axis) or (trial.batch if axis == 0 else axis_name(spec.name, axis))
        for axis, length in enumerate(spec.shape)
        if length is None
    }


def _parted(trial: Trial, inputs: Inputs, base: Lengths, step: int) -> Inputs:
    """Give axes of one name that need not be equally long names of their own, each after its first input."""
    parted = {name: dict(axes) for name, axes in inputs.items()}
    chosen_by_user = {label for spec in trial.specs for label in trial.named(spec).values()}
    for label in base:
        members = [(name, axis) for name, axes in inputs.items() for axis, each in axes.items() if each == label]
        if label in trial.batches | chosen_by_user or not 1 < len(members) <= _MOST_TIED:
            continue
        lengths = {**base, _OTHER: base[label] + step}
        while members:
            first, others = members[0], members[1:]
            together = next(
                (
                    {first, *chosen}
                    for count in range(len(others))
                    for chosen in combinations(others, count)
                    if trial.runs(_renamed(inputs, {first, *chosen}), lengths)
                ),
                set(members),
            )
            for name, axis in together:
                parted[name][axis] = axis_name(*first)
            members = [member for member in members if member not in together]
    return parted if trial.runs(parted, _distinct(trial, parted, step)) else inputs


def _distinct(trial: Trial, inputs: Inputs, step: int) -> dict[str, int]:
    """Return a length for each axis, all different: multiples of a number, and small ones for axes that count samples."""
    labels = list(dict.fromkeys(chain.from_iterable(axes.values() for axes in inputs.values())))
    batches = {label: _BATCH + index for index, label in enumerate(label for label in labels if label in trial.batches)}
    others = {
        label: step * _PRIMES[index % len(_PRIMES)]
        for index, label in enumerate(label for label in labels if label not in trial.batches)
    }
    return {label: (batches | others)[label] for label in labels}


def _renamed(inputs: Inputs, members: Collection[tuple[str, int]]) -> Inputs:
    """Return the axes by input, some of them under another name."""
    return {
        name: {axis: _OTHER if (name, axis) in members else label for axis, label in axes.items()}
        for name, axes in inputs.items()
    }
