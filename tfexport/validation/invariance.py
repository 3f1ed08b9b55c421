"""Changes that must not change outputs: padding (a row alone has the outputs that it has among others), and a second run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

_MASK = "attention_mask"

Run = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def can_be_cut(inputs: Mapping[str, np.ndarray]) -> bool:
    """Return whether a row can be cut: every input is a text ``(batch, sequence)`` under one mask, padded on the right."""
    mask = inputs.get(_MASK)
    return (
        mask is not None
        and mask.ndim == 2
        and len(mask) > 1
        and bool((np.diff(mask, axis=1) <= 0).all())
        and bool((mask[:, 0] == 1).all())
        and not bool(mask.all())
        and all(isinstance(value, np.ndarray) and value.shape == mask.shape for value in inputs.values())
    )


def padding_error(run: Run, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return how much padding changes each output at positions without padding: the largest absolute difference over all rows.

    Args:
        run: Function that computes outputs by name.
        inputs: Inputs for which `can_be_cut` is true.
        outputs: Outputs for these inputs.
    """
    mask = inputs[_MASK]
    worst = dict.fromkeys((name for name, value in outputs.items() if value.dtype.kind == "f"), 0.0)
    for row in range(len(mask)):
        kept = int(mask[row].sum())
        cut = run({name: value[row : row + 1, :kept] for name, value in inputs.items()})
        for name in worst:
            among, single = outputs[name][row], cut[name][0]
            if among.ndim and among.shape[0] == mask.shape[1]:
                among = among[:kept]
            if among.shape == single.shape and among.size:
                worst[name] = max(worst[name], float(np.abs(among.astype(np.float64) - single).max()))
    return worst


def spread(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the outputs of two runs that are not the same bit for bit, with their largest absolute difference.

    The difference is infinite where only one run returns a finite number, or where shapes differ.
    """
    return {name: _difference(first[name], second[name]) for name in first if _bits(first[name]) != _bits(second[name])}


def _bits(array: np.ndarray) -> tuple[np.dtype, tuple[int, ...], bytes]:
    return array.dtype, array.shape, array.tobytes()


def _difference(first: np.ndarray, second: np.ndarray) -> float:
    if first.shape != second.shape:
        return float("inf")
    alike = (first == second) | ((first != first) & (second != second))
    with np.errstate(invalid="ignore"):
        difference = np.where(alike, 0.0, np.abs(first.astype(np.float64) - second))
    return float(np.nan_to_num(difference, nan=np.inf, posinf=np.inf).max(initial=0.0))
