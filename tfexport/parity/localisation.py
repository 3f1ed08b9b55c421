"""From a pair that disagrees to the layer where it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tfexport.errors import ProcessError
from tfexport.parity.divergence import Divergence, first_divergent, holds, swapped_outputs
from tfexport.parity.exchange import Exchange
from tfexport.parity.files import record_tensors, run_at_levels
from tfexport.parity.frameworks import Model, record_layers
from tfexport.parity.matrix import Compared, Pair
from tfexport.parity.repro import write_repro
from tfexport.processes.isolation import Caller
from tfexport.validation.comparison import Tolerance, compare

_NEAR = 0.2
"""Within this share of the largest magnitude a tensor is like a layer's; beyond it any other one might be as near."""


@dataclass(frozen=True)
class Located:
    """Where a pair parts.

    Attributes:
        pair: the two corners.
        part: of the model.
        case: on which it was looked for: the failing one with the fewest elements.
        divergence: layer by layer; None where nothing could be recorded.
        node: the file's node that makes the tensor nearest to the layer's, as ``op (name)``; empty where none is near.
        levels: whether the file agrees at each level of ONNX Runtime's optimisations.
        swapped: outputs that have another one's values.
        repro: the folder with the case; None where none was asked for.
        problem: why it could not be looked for.
    """

    pair: str
    part: str
    case: str
    divergence: Divergence | None = None
    node: str = ""
    levels: Mapping[str, bool] = field(default_factory=dict)
    swapped: tuple[tuple[str, str], ...] = ()
    repro: Path | None = None
    problem: str | None = None

    @property
    def sentence(self) -> str:
        """The finding, for people."""
        where = f"{self.pair}, {self.case}"
        if self.problem is not None:
            return f"{where}: the layer could not be looked for: {self.problem}"
        if self.swapped:
            told = ", ".join(f"{name} has the values of {other}" for name, other in self.swapped)
            return f"{where}: {told}"
        good = [level for level, agrees in self.levels.items() if agrees]
        bad = [level for level, agrees in self.levels.items() if not agrees]
        if good and bad:
            return f"{where}: the file agrees with optimisations {', '.join(good)}, and not with {', '.join(bad)}"
        if self.divergence is None or self.divergence.first is None:
            return f"{where}: what is right is computed, and not what comes out: it lies behind the last layer"
        first, before = self.divergence.first, self.divergence.before
        off = "" if first.error is None else f", off by {first.error:.2g} of its largest magnitude"
        after = "" if before is None else f"; {before.name}, before it, agrees"
        node = f"; nearest in the file: {self.node}" if self.node else ""
        return f"{where}: first in the layer {first.name}{off}{after}{node}"


@dataclass(frozen=True)
class Side:
    """One side of a comparison, to be recorded.

    Attributes:
        corner: its name.
        model: for a framework.
        files: by part, for a file.
    """

    corner: str
    model: Model | None = None
    files: Mapping[str, Path] = field(default_factory=dict)


def locate(
    pair: Pair,
    first: Side,
    second: Side,
    exchange: Exchange,
    tolerance: Tolerance,
    repro: Path | None,
    call: Caller,
) -> Located | None:
    """Look for the layer in which two corners part.

    Args:
        pair: that disagrees; its first corner is a framework.
        first: of the pair.
        second: of the pair.
        exchange: where inputs and outputs lie.
        tolerance: of the comparison.
        repro: a folder for the case; None for none.
        call: how work is called.

    Returns:
        None where no failing case has outputs of both.
    """
    failing = pair.smallest_failure
    if failing is None:
        return None
    name = failing.report.case.name
    try:
        return _locate(pair, first, second, failing, exchange, tolerance, repro, call)
    except ProcessError as error:
        return Located(pair.name, failing.part, name, problem=str(error))


def _locate(
    pair: Pair,
    first: Side,
    second: Side,
    failing: Compared,
    exchange: Exchange,
    tolerance: Tolerance,
    repro: Path | None,
    call: Caller,
) -> Located:
    part, number, name = failing.part, failing.number, failing.report.case.name
    expected, found = (exchange.outputs(part, number, side.corner) or {} for side in (first, second))
    wrong = [output.name for output in failing.report.outputs if output.problem]
    swapped = tuple(swapped_outputs(expected, found, [each for each in wrong if each in expected and each in found]))
    layers = _recorded(first, exchange, part, number, call)[0]
    tensors, makers = _recorded(second, exchange, part, number, call)
    divergence = first_divergent(layers, tensors)
    if all(each in expected and holds(tensors, expected[each]) for each in wrong):
        divergence = replace(
            divergence, first=None, before=None
        )  # what is right is in there, and is not what comes out
    first_off = divergence.first
    near = first_off is not None and first_off.error is not None and first_off.error <= _NEAR
    nearest = first_off.nearest if first_off is not None and near else None
    path = second.files.get(part)
    return Located(
        pair.name,
        part,
        name,
        divergence,
        makers.get(nearest or "", ""),
        {} if path is None else _levels(path, exchange, part, failing, expected, tolerance, call),
        swapped,
        None
        if repro is None or path is None
        else write_repro(repro, path, exchange.inputs(part, number), expected, {"pair": pair.name, "case": name}),
    )


def _recorded(
    side: Side, exchange: Exchange, part: str, number: int, call: Caller
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    called = f"{side.corner}-{part}-{number}"
    if side.model is not None:
        call(record_layers, side.model, exchange.folder, called, part, number)
        return exchange.recording(called), {}
    makers: dict[str, str] = call(record_tensors, side.files[part], exchange.folder, called, part, number)
    return exchange.recording(called), makers


def _levels(
    path: Path,
    exchange: Exchange,
    part: str,
    failing: Compared,
    expected: Mapping[str, np.ndarray],
    tolerance: Tolerance,
    call: Caller,
) -> dict[str, bool]:
    """Whether a file agrees at each level of optimisation."""
    found = call(run_at_levels, path, exchange.folder, part, failing.number)
    return {
        level: not isinstance(outputs, str) and not compare(failing.report.case, expected, outputs, tolerance).problems
        for level, outputs in found.items()
    }
