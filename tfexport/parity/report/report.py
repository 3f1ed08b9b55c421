"""The verdict, and everything that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfexport.parity.localisation import Located
from tfexport.parity.matrix import Compared, Corner, Pair, noise
from tfexport.pipeline.manifest import installed_versions
from tfexport.validation.cases import Case
from tfexport.validation.comparison import Tolerance, json_number

SCHEMA_VERSION = 1
_PADDING_NOISE = 10.0
"""How many times as much as in its source padding may change an output of a file, where it changes one in the source."""


@dataclass(frozen=True)
class Report:
    """What came of a comparison.

    Attributes:
        checkpoint: what was compared.
        feature: which of its features.
        model_type: its model type.
        tolerance: what was allowed.
        corners: what computed it, those that could not be had too.
        cases: on which it was compared, of each part.
        pairs: every two corners.
        located: where pairs part.
        exported: manifests of the files, by corner.
        beside: what is wrong beside what was computed.
    """

    checkpoint: str
    feature: str
    model_type: str
    tolerance: Tolerance
    corners: tuple[Corner, ...]
    cases: Mapping[str, Sequence[Case]]
    pairs: tuple[Pair, ...]
    located: tuple[Located, ...] = ()
    exported: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong; empty when all agree."""
        return tuple(self._problems())

    @property
    def agrees(self) -> bool:
        """Whether something was compared, and nothing is wrong."""
        return bool(self.pairs) and not self.problems

    def _problems(self) -> Iterator[str]:
        yield from self.beside
        for corner in self.corners:
            if corner.ran is None and corner.expected:
                yield f"{corner.name}: {corner.absent}"
            for part, found in ({} if corner.ran is None else corner.ran.structure).items():
                for problem in found:
                    yield f"{corner.name}, {part}.onnx: {problem}"
        for pair in self.pairs:
            for problem in pair.problems:
                yield f"{pair.name}: {problem}"
            if not pair.outputs and not pair.problems:
                yield f"{pair.name}: nothing was compared"
        yield from self._padding_problems()

    def _padding_problems(self) -> Iterator[str]:
        """Files that padding changes more than their source."""
        by_name = {corner.name: corner.ran for corner in self.corners if corner.ran is not None}
        for corner in self.corners:
            source = by_name.get(corner.framework)
            if corner.ran is None or source is None or not corner.is_file:
                continue
            for part, outputs in corner.ran.padding.items():
                for name, error in outputs.items():
                    own = source.padding.get(part, {}).get(name)
                    allowed = self._allowed(part, name)
                    if own is not None and allowed is not None and error > max(allowed, _PADDING_NOISE * own):
                        yield f"{corner.name}: padding changes {name} by {error:.3g}, in the source by {own:.3g}"

    def _allowed(self, part: str, name: str) -> float | None:
        """What the tolerance allows of an output: the most of any case."""
        found = [
            output.allowed
            for pair in self.pairs
            for each in pair.compared
            if each.part == part
            for output in each.report.outputs
            if output.name == name
        ]
        return max(found, default=None)

    @property
    def skipped(self) -> tuple[str, ...]:
        """Cases that the source itself does not take, with what it says."""
        source = self.corners[0]
        return tuple(
            f"{self.cases[part][number].name}: {why}"
            for part, found in ({} if source.ran is None else source.ran.problems).items()
            for number, why in found.items()
        )

    @property
    def told(self) -> tuple[str, ...]:
        """What is no fault and worth knowing."""
        repeats = [(corner.name, corner.repeat) for corner in self.corners if corner.repeat is not None]
        unvaried = [
            (corner.name, f"{part}.onnx: axis {axis} was never varied: it has one length in all cases")
            for corner in self.corners
            for part, axes in ({} if corner.ran is None else corner.ran.unvaried).items()
            for axis in axes
        ]
        return _gathered([*repeats, *unvaried])

    @property
    def noise(self) -> float | None:
        """What the two source frameworks differ by, at most; None where there is one alone."""
        return max(noise(self.pairs).values(), default=None)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "parity",
            "checkpoint": self.checkpoint,
            "model_type": self.model_type,
            "feature": self.feature,
            "agrees": self.agrees,
            "problems": list(self.problems),
            "tolerance": vars(self.tolerance),
            "noise": json_number(self.noise),
            "corners": [_corner(corner) for corner in self.corners],
            "cases": {part: [case.name for case in cases] for part, cases in self.cases.items()},
            "skipped": list(self.skipped),
            "told": list(self.told),
            "pairs": [_pair(pair) for pair in self.pairs],
            "located": [_located(each) for each in self.located],
            "exported": {name: _exported(manifest) for name, manifest in self.exported.items()},
            "versions": installed_versions(),
        }

    def lines(self) -> list[str]:
        """For a terminal: the verdict first."""
        told = [f"{self.checkpoint}: {self.model_type}, {self.feature}: {'agrees' if self.agrees else 'DISAGREES'}"]
        for corner in self.corners:
            if corner.ran is None:
                told.append(f"  {corner.name}: not there: {corner.absent}")
        for pair in self.pairs:
            told.append(f"  {pair.name}: {_told(pair)}")
        told += [f"  {each}" for each in self.told]
        told += [] if self.noise is None else [f"  noise: the two frameworks differ by {self.noise:.2g} at most"]
        told += [
            f"  not compared, since {self.corners[0].name} itself cannot be run on it: {each}" for each in self.skipped
        ]
        told += [f"  {each.sentence}" for each in self.located]
        told += [f"  {problem}" for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            told.append(f"  and {len(self.problems) - _SHOWN} more (--output has all)")
        return told


_SHOWN = 12


def _told(pair: Pair) -> str:
    worst = pair.worst
    number = len(pair.compared)
    failing = sum(bool(each.report.problems) for each in pair.compared)
    if worst is None:
        return f"NO, {failing} of {number} cases" if failing else "nothing was compared"
    error = f"largest error {worst.max_abs_error:.2g} of {worst.allowed:.2g} allowed ({worst.name})"
    return f"yes, {number} cases, {error}" if pair.agrees else f"NO, {failing} of {number} cases, {error}"


def _gathered(told: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """What is said of corners, once each: ``tf, onnx-tf: two runs give the same``."""
    names: dict[str, list[str]] = {}
    for name, text in told:
        names.setdefault(text, []).append(name)
    return tuple(f"{', '.join(each)}: {text}" for text, each in names.items())


def _corner(corner: Corner) -> dict[str, Any]:
    ran = corner.ran
    return {
        "name": corner.name,
        "absent": corner.absent,
        "expected": corner.expected,
        **(
            {}
            if ran is None
            else {
                "about": ran.about,
                "structure": ran.structure,
                "padding": ran.padding,
                "unvaried": ran.unvaried,
                "repeat": corner.repeat,
                "spread": {
                    part: {name: json_number(error) for name, error in each.items()}
                    for part, each in ran.spread.items()
                },
                "peak_rss_mib": round(ran.peak_rss_mib, 1),
            }
        ),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    worst = pair.worst
    return {
        "first": pair.first,
        "second": pair.second,
        "agrees": pair.agrees,
        "worst": None if worst is None else worst.as_dict(),
        "cases": [_compared(each) for each in pair.compared],
    }


def _compared(each: Compared) -> dict[str, Any]:
    return {
        "part": each.part,
        "case": each.report.case.name,
        "problems": list(each.report.problems),
        "outputs": [output.as_dict() for output in each.report.outputs],
    }


def _located(each: Located) -> dict[str, Any]:
    found = each.divergence
    return {
        "pair": each.pair,
        "part": each.part,
        "case": each.case,
        "sentence": each.sentence,
        "first": None if found is None or found.first is None else found.first.name,
        "before": None if found is None or found.before is None else found.before.name,
        "node": each.node,
        "levels": dict(each.levels),
        "swapped": [list(names) for names in each.swapped],
        "problem": each.problem,
        "layers": []
        if found is None
        else [{"name": layer.name, "error": json_number(layer.error), "found": layer.found} for layer in found.layers],
    }


def _exported(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: manifest.get(name) for name in ("exporter", "opset", "validated", "graphs", "stages")}
