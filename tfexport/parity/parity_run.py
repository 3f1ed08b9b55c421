"""The steps of a comparison, and the state that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfexport.backends import installed_frameworks
from tfexport.checkpoints.framework import Framework
from tfexport.errors import FrameworkError, ProcessError, UnsupportedError
from tfexport.parity.corners import CPU, Corner, CornerId
from tfexport.parity.exchange import Exchange
from tfexport.parity.files import ExportedFiles, run_files
from tfexport.parity.frameworks import FrameworkModel, PlanSummary, run_model
from tfexport.parity.localisation import FileSide, FrameworkSide, Located, Search, Side
from tfexport.parity.pairs import Pair, compare_corners
from tfexport.parity.process_limits import ProcessLimits
from tfexport.parity.run_result import RunResult
from tfexport.pipeline.export import export_with
from tfexport.pipeline.manifest import contracts_of
from tfexport.processes.isolation import Caller

Progress = Callable[[str], None]
"""Function that is called with the name of each step as it begins."""
_NO_CLASS = (UnsupportedError, FrameworkError)


@dataclass(frozen=True)
class Export:
    """The exported files of one framework's model.

    Attributes:
        framework: Framework that they were exported from.
        paths: Files, by the part of the model that each computes.
        manifest: Manifest of the export; empty for a directory without one.
    """

    framework: Framework
    paths: Mapping[str, Path]
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def corner(self) -> CornerId:
        """Corner of the files on the CPU."""
        return CornerId(self.framework, "file")


@dataclass(frozen=True)
class ParityRun:
    """One comparison, with the state that all its steps share.

    Attributes:
        plan: Framework, feature, parts and tolerance of the comparison.
        exchange: Folder through which the corners exchange arrays.
        providers: Execution providers of ONNX Runtime that run the files, as users write them.
        call: `call_isolated` or `call_in_process`.
        progress: Function that is called with the name of each step.
        limits: Limits of the processes.
    """

    plan: PlanSummary
    exchange: Exchange
    providers: Sequence[str]
    call: Caller
    progress: Progress
    limits: ProcessLimits = field(default_factory=ProcessLimits)

    @property
    def in_framework(self) -> Caller:
        """Caller for work in a framework."""
        return self.limits.on_frameworks(self.call)

    def run_source(self, model: FrameworkModel) -> RunResult:
        """Run the framework whose checkpoint it is. It makes the inputs of all corners.

        Raises:
            ProcessError: The run fails.
        """
        self.progress(f"running {self.plan.framework}")
        result: RunResult = self.in_framework(run_model, model, self.exchange.folder, self.plan.framework)
        return result

    def run_other(self, model: FrameworkModel, framework: Framework, source: RunResult) -> Corner:
        """Run the other framework on the inputs of the source."""
        corner = CornerId(framework)
        if framework not in installed_frameworks():
            return Corner(corner, None, "it is not installed", expected=False)
        try:
            model.summary(self.in_framework)
        except (*_NO_CLASS, ProcessError) as error:
            return Corner(corner, None, str(error), expected=False)
        self.progress(f"running {framework}")
        return _corner(corner, self.in_framework, run_model, model, self.exchange.folder, framework, dict(source.cases))

    def export(self, model: FrameworkModel, framework: Framework, folder: Path) -> Export:
        """Export a framework's model into a folder, valid or not.

        Raises:
            ProcessError: The export fails.
        """
        self.progress(f"exporting from {framework}")
        manifest = self.in_framework(_export, model, folder)
        return Export(framework, {part: folder / f"{part}.onnx" for part in self.plan.parts}, manifest)

    def run_files(self, export: Export, source: RunResult) -> list[Corner]:
        """Run exported files on every case that their source accepts: one corner per provider."""
        cases = {
            part: [number for number in range(len(listed)) if number not in source.problems.get(part, ())]
            for part, listed in source.cases.items()
        }
        files = ExportedFiles(export.paths, contracts_of(export.manifest))
        corners = [CornerId(export.framework, "file", provider) for provider in self.providers]
        return [self._run_on(corner, files, source, cases) for corner in corners]

    def _run_on(
        self, corner: CornerId, files: ExportedFiles, source: RunResult, cases: Mapping[str, Sequence[int]]
    ) -> Corner:
        self.progress(f"running {corner.name}")
        call = self.limits.on_files(self.call, files.on_disk, source, on_cpu=corner.provider == CPU)
        return _corner(corner, call, run_files, files, corner.provider, self.exchange.folder, corner.name, cases)

    def compare(self, corners: Sequence[Corner], source: RunResult) -> list[Pair]:
        """Compare every two corners."""
        return compare_corners(corners, source.cases, self.exchange, self.plan.tolerance)

    def locate(
        self,
        pairs: Iterable[Pair],
        models: Mapping[Framework, FrameworkModel],
        exports: Iterable[Export],
        repro: Callable[[Pair], Path | None],
    ) -> list[Located]:
        """Look for the layer in which each disagreeing pair of a framework and its file, or of two frameworks, diverges.

        Args:
            pairs: All pairs.
            models: Models of the frameworks.
            exports: Exported files.
            repro: Function that returns the folder to write for the failing case of a pair; None for none.
        """
        sides: dict[CornerId, Side] = {}
        sides |= {
            corner: FrameworkSide(corner, model) for name, model in models.items() for corner in (CornerId(name),)
        }
        sides |= {export.corner: FileSide(export.corner, export.paths) for export in exports}
        found = []
        for pair in pairs:
            if pair.own and not pair.agrees:
                self.progress(f"looking for the layer in which {pair.name} diverge")
                first, second = sides[pair.first], sides[pair.second]
                search = Search(pair, first, second, self.exchange, self.plan.tolerance, self.in_framework, repro(pair))
                found.append(search.run())
        return [located for located in found if located is not None]


def _corner(corner: CornerId, call: Caller, function: Callable[..., RunResult], *arguments: Any) -> Corner:
    try:
        return Corner(corner, call(function, *arguments))
    except ProcessError as error:
        return Corner(corner, None, str(error))


def _export(model: FrameworkModel, folder: Path) -> Mapping[str, Any]:
    """Export a model in this process, and return the manifest."""
    acceptance = replace(model.options.acceptance, keep_invalid=True)
    return export_with(model.checkpoint, folder, replace(model.options, acceptance=acceptance)).manifest
