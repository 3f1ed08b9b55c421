"""The report of a comparison: whether all corners agree, and every number that this rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfexport.parity.corners import Corner, CornerId
from tfexport.parity.localisation import Located
from tfexport.parity.pairs import Compared, Pair, noise
from tfexport.parity.run_result import RunResult, thawed
from tfexport.pipeline.manifest import installed_versions
from tfexport.validation import Case, OutputReport, Tolerance, json_number

SCHEMA_VERSION = 1
_PADDING_NOISE = 10.0
"""How many times as much as in its source padding may change an output of a file, if it changes that output in the source."""
_SHOWN = 12


@dataclass(frozen=True)
class ParityReport:
    """Result of a comparison.

    Attributes:
        checkpoint: Name of the checkpoint, or of the exported directory and its checkpoint.
        feature: Feature that was compared.
        model_type: Model type, or the class of a model without one.
        tolerance: Tolerance of the comparison.
        corners: All corners, those that could not be run too.
        cases: Cases of each part.
        pairs: Every two corners that were run.
        located: Places where pairs diverge.
        exported: Manifests of the exported files, by corner.
        changes: Files that changed since the export, as sentences.
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
    changes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """All problems; empty when all corners agree."""
        return (*self.changes, *self._corner_problems(), *self._pair_problems(), *self._padding_problems())

    @property
    def agrees(self) -> bool:
        """Whether at least one pair was compared, and all of them agree."""
        return bool(self.pairs) and not self.problems

    @property
    def results(self) -> dict[CornerId, RunResult]:
        """Results of the corners that were run."""
        return {corner.id: corner.result for corner in self.corners if corner.result is not None}

    def _corner_problems(self) -> Iterator[str]:
        for corner in self.corners:
            if corner.result is None and corner.expected:
                yield f"{corner.name}: {corner.absent}"
        for corner_id, result in self.results.items():
            for part, found in result.structure.items():
                yield from (f"{corner_id.name}, {part}.onnx: {problem}" for problem in found)

    def _pair_problems(self) -> Iterator[str]:
        for pair in self.pairs:
            yield from (f"{pair.name}: {problem}" for problem in pair.problems)
            if not pair.outputs and not pair.problems:
                yield f"{pair.name}: nothing was compared"

    def _padding_problems(self) -> Iterator[str]:
        """Yield outputs of files that padding changes more than in their source."""
        for corner, result in self.results.items():
            source = self.results.get(CornerId(corner.framework))
            if source is None or corner.kind != "file":
                continue
            for part, outputs in result.padding.items():
                for name, error in outputs.items():
                    own = source.padding.get(part, {}).get(name)
                    allowed = self._allowed(part, name)
                    if own is not None and allowed is not None and error > max(allowed, _PADDING_NOISE * own):
                        yield (
                            f"{corner.name}: padding changes {name} by {error:.3g}, but in the source only by {own:.3g}"
                        )

    def _allowed(self, part: str, name: str) -> float | None:
        """Return the largest error that the tolerance allows of an output in any case."""
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
        """Cases that the source itself does not accept, with its reason."""
        source = self.corners[0].result
        return tuple(
            f"{self.cases[part][number].name}: {reason}"
            for part, found in ({} if source is None else source.problems).items()
            for number, reason in found.items()
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Facts that are worth knowing, and are not problems."""
        repeats = [(corner.name, corner.repeat) for corner in self.corners if corner.repeat is not None]
        unvaried = [
            (corner.name, f"{part}.onnx: axis {axis} was never varied: it has the same length in all cases")
            for corner, result in self.results.items()
            for part, axes in result.unvaried.items()
            for axis in axes
        ]
        return _by_text([*repeats, *unvaried])

    @property
    def noise(self) -> float | None:
        """Largest difference between the two frameworks; None when only one was run."""
        return max(noise(self.pairs).values(), default=None)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as values of JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "parity",
            "checkpoint": self.checkpoint,
            "model_type": self.model_type,
            "feature": self.feature,
            "agrees": self.agrees,
            "outcome": self._outcome(),
            "problems": list(self.problems),
            "tolerance": vars(self.tolerance),
            "noise": json_number(self.noise),
            "corners": [_corner(corner) for corner in self.corners],
            "cases": {part: [case.name for case in cases] for part, cases in self.cases.items()},
            "skipped": list(self.skipped),
            "told": list(self.notes),
            "pairs": [_pair(pair) for pair in self.pairs],
            "located": [_located(each) for each in self.located],
            "exported": {name: _exported(manifest) for name, manifest in self.exported.items()},
            "versions": installed_versions(),
        }

    def _outcome(self) -> str:
        """Return the verdict. Where all outputs agree and something else is wrong, it does not say that they disagree."""
        if self.agrees:
            return "agrees"
        if not self.pairs or not all(pair.agrees for pair in self.pairs):
            return "DISAGREES"
        if len(self.changes) == len(self.problems):
            return "CHANGED since the export; what was compared agrees"
        return "NOT VALID; what was compared agrees, but see below"

    def lines(self) -> list[str]:
        """Return the report for a terminal, whether all agree first."""
        source = self.corners[0].name
        more = len(self.problems) - _SHOWN
        return [
            f"{self.checkpoint}: {self.model_type}, {self.feature}: {self._outcome()}",
            *(f"  {corner.name}: not run: {corner.absent}" for corner in self.corners if corner.result is None),
            *(f"  {pair.name}: {_pair_line(pair)}" for pair in self.pairs),
            *(f"  {note}" for note in self.notes),
            *([] if self.noise is None else [f"  noise: the two frameworks differ by at most {self.noise:.2g}"]),
            *(f"  not compared, because {source} itself cannot run it: {each}" for each in self.skipped),
            *(f"  {each.sentence}" for each in self.located),
            *(f"  {problem}" for problem in self.problems[:_SHOWN]),
            *([f"  and {more} more (--output writes all of them)"] if more > 0 else []),
        ]


def _pair_line(pair: Pair) -> str:
    worst, largest, number = pair.worst, pair.largest, len(pair.compared)
    failing = sum(bool(each.report.problems) for each in pair.compared)
    if worst is None or largest is None:
        return f"NO, {failing} of {number} cases" if failing else "nothing was compared"
    error = f"largest error {_error(largest)}"
    if largest != worst:
        error += f"; nearest to its limit {_error(worst)}"
    return f"yes, {number} cases, {error}" if pair.agrees else f"NO, {failing} of {number} cases, {error}"


def _error(output: OutputReport) -> str:
    return f"{output.max_abs_error:.2g} of {output.allowed:.2g} allowed ({output.name})"


def _by_text(notes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return each note once, with all corners that it is about: ``tf, onnx-tf: ...``."""
    names: dict[str, list[str]] = {}
    for name, text in notes:
        names.setdefault(text, []).append(name)
    return tuple(f"{', '.join(each)}: {text}" for text, each in names.items())


def _corner(corner: Corner) -> dict[str, Any]:
    return {
        "name": corner.name,
        "absent": corner.absent,
        "expected": corner.expected,
        **({} if corner.result is None else _result(corner.result, corner.repeat)),
    }


def _result(result: RunResult, repeat: str | None) -> dict[str, Any]:
    return {
        "about": thawed(result.about),
        "structure": thawed(result.structure),
        "padding": thawed(result.padding),
        "unvaried": thawed(result.unvaried),
        "repeat": repeat,
        "spread": {
            part: {name: json_number(error) for name, error in each.items()} for part, each in result.spread.items()
        },
        "peak_rss_mib": round(result.peak_rss_mib, 1),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    worst, largest = pair.worst, pair.largest
    return {
        "first": pair.first.name,
        "second": pair.second.name,
        "agrees": pair.agrees,
        "worst": None if worst is None else worst.as_dict(),
        "largest": None if largest is None else largest.as_dict(),
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
