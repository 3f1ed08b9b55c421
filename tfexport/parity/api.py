"""Parity of a checkpoint: TensorFlow, PyTorch, and the files exported from each."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tfexport.checkpoints.framework import FRAMEWORKS, Framework
from tfexport.checkpoints.signature import SignatureOptions
from tfexport.errors import InputsError, ProcessError
from tfexport.parity.corners import CPU, Corner, CornerId
from tfexport.parity.exchange import Exchange
from tfexport.parity.frameworks import FrameworkModel
from tfexport.parity.pairs import Pair
from tfexport.parity.parity_run import Export, ParityRun, Progress
from tfexport.parity.process_limits import ProcessLimits
from tfexport.parity.report import ParityReport
from tfexport.parity.run_result import RunResult
from tfexport.pipeline.options import export_options
from tfexport.processes.isolation import Caller, call_isolated
from tfexport.runtime.providers import check_providers


def parity(
    checkpoint: str | Path | None = None,
    *,
    model_tf: str | Path | None = None,
    model_pt: str | Path | None = None,
    feature: str = "default",
    providers: Sequence[str] = (CPU,),
    atol: float | None = None,
    rtol: float | None = None,
    cache_dir: str | Path | None = None,
    model_type: str | None = None,
    monolith: bool = False,
    keep: Path | None = None,
    repro: Path | None = None,
    time_limit_s: float | None = None,
    progress: Progress | None = None,
    call: Caller = call_isolated,
    options: SignatureOptions | None = None,
) -> ParityReport:
    """Compare a checkpoint in TensorFlow, in PyTorch, and the ONNX files exported from each, on the same inputs.

    A Keras file or a KerasHub preset runs in TensorFlow, and in PyTorch under Keras 3; a SavedModel runs only in
    TensorFlow. Each corner runs in a process of its own. When a framework and its file, or the two frameworks, disagree,
    the report names the first layer that differs.

    Args:
        checkpoint: Folder or hub id. Each framework loads its own weights, or converts the other's.
        model_tf: TensorFlow checkpoint of the same model as `model_pt`. Pass both in place of `checkpoint`.
        model_pt: PyTorch checkpoint of the same model as `model_tf`.
        feature: Feature to compare, as in `tfexport.export_checkpoint`.
        providers: Execution providers of ONNX Runtime that run the files; each is a corner.
        atol: Absolute tolerance; None for the declaration's.
        rtol: Tolerance relative to the largest magnitude of an output; None for 2e-5.
        cache_dir: Folder of transformers' downloads.
        model_type: Model type, for a configuration that does not name one.
        monolith: Whether an encoder-decoder is exported to one file.
        keep: Folder for the exported files; None to delete them.
        repro: Folder for the failing cases, each in the layout of ONNX's backend tests; None for none.
        time_limit_s: Seconds that each process may take; None for a limit that depends on the checkpoint and its files.
        progress: Function that is called with the name of each step.
        call: Function that runs each corner: in a process of its own (`call_isolated`), or in this one (`call_in_process`).
        options: Options of a model that is not a checkpoint of transformers, from
            `tfexport.checkpoints.signature.signature_options`.

    Raises:
        CheckpointError, FrameworkError, UnsupportedError: The checkpoint cannot be used.
        InputsError: Neither one checkpoint nor two are named.
        ProviderError: A provider is not available.
        ProcessError: The framework of the checkpoint cannot run it.
    """
    announce = progress or (lambda text: None)
    check_providers(providers)
    limits = ProcessLimits.of(time_limit_s)
    named = _named(checkpoint, model_tf, model_pt)
    chosen = export_options(
        feature=feature,
        framework=named.framework,
        atol=atol,
        rtol=rtol,
        cache_dir=cache_dir,
        model_type=model_type,
        monolith=monolith,
    )
    source = FrameworkModel(named.tf, replace(chosen, signature=options or SignatureOptions()))
    announce("looking at the checkpoint")
    plan = source.summary(limits.on_frameworks(call))
    models = {
        framework: replace(source, checkpoint=named.of(framework)).in_framework(framework, plan.feature)
        for framework in sorted(FRAMEWORKS, key=lambda each: each != plan.framework)
    }
    with tempfile.TemporaryDirectory(prefix="tfexport-parity-") as folder:
        run = ParityRun(plan, Exchange(Path(folder) / "exchange"), providers, call, announce, limits)
        return _Comparison(run, named.title, models, keep or Path(folder), repro).report()


@dataclass(frozen=True)
class _Checkpoints:
    """The checkpoint of each framework.

    Attributes:
        tf: Checkpoint that TensorFlow loads.
        pt: Checkpoint that PyTorch loads.
        framework: Framework that makes the inputs; None for the framework of the checkpoint.
        title: Name in the report.
    """

    tf: str
    pt: str
    framework: Framework | None
    title: str

    def of(self, framework: Framework) -> str:
        return self.tf if framework == "tf" else self.pt


def _named(checkpoint: str | Path | None, model_tf: str | Path | None, model_pt: str | Path | None) -> _Checkpoints:
    if checkpoint is not None and model_tf is None and model_pt is None:
        return _Checkpoints(str(checkpoint), str(checkpoint), None, str(checkpoint))
    if checkpoint is None and model_tf is not None and model_pt is not None:
        return _Checkpoints(str(model_tf), str(model_pt), "tf", f"{model_tf} and {model_pt}")
    raise InputsError(
        "found neither one checkpoint nor two. Name one checkpoint, or two by --model-tf and --model-pt (model_tf, model_pt)."
    )


@dataclass(frozen=True)
class _Comparison:
    """All corners of a checkpoint.

    Attributes:
        run: Comparison that the corners belong to.
        title: Name in the report.
        models: Models of both frameworks; the one that makes the inputs comes first.
        exports: Folder for the exported files.
        repro: Folder for the failing cases; None for none.
    """

    run: ParityRun
    title: str
    models: dict[Framework, FrameworkModel]
    exports: Path
    repro: Path | None

    def report(self) -> ParityReport:
        """Run every corner, compare every pair, and look for the layers in which pairs diverge."""
        source, other = self.models
        result = self.run.run_source(self.models[source])
        frameworks = [Corner(CornerId(source), result), self.run.run_other(self.models[other], other, result)]
        exported = [self._export(corner, result) for corner in frameworks]
        corners = [*frameworks, *(corner for _, files in exported for corner in files)]
        exports = [export for export, _ in exported if export is not None]
        pairs = self.run.compare(corners, result)
        return ParityReport(
            checkpoint=self.title,
            feature=self.run.plan.feature,
            model_type=self.run.plan.about,
            tolerance=self.run.plan.tolerance,
            corners=tuple(corners),
            cases=dict(result.cases),
            pairs=tuple(pairs),
            located=tuple(self.run.locate(pairs, self.models, exports, self._repro)),
            exported={export.corner.name: export.manifest for export in exports},
        )

    def _export(self, corner: Corner, source: RunResult) -> tuple[Export | None, list[Corner]]:
        """Export the model of a framework's corner, and run the files. The export is None when there is none."""
        framework = corner.id.framework
        files = CornerId(framework, "file")
        if corner.result is None:
            return None, [Corner(files, None, f"{framework} could not be run", expected=corner.expected)]
        try:
            export = self.run.export(self.models[framework], framework, self.exports / files.name)
        except ProcessError as error:
            return None, [Corner(files, None, str(error))]
        return export, self.run.run_files(export, source)

    def _repro(self, pair: Pair) -> Path | None:
        return None if self.repro is None else self.repro / f"{pair.first.name}-{pair.second.name}"
