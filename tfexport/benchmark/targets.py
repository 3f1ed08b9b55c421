"""What is to be measured: an exported directory, an ONNX file, or a checkpoint, which is exported first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfexport.benchmark import graph_facts
from tfexport.benchmark.cells import Setting
from tfexport.benchmark.work import Arrays, Model
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.configuration import CONFIG
from tfexport.checkpoints.preprocessor import load_preprocessor
from tfexport.checkpoints.weight_files import sha256_of
from tfexport.declarations.features import AUTO, choose_feature, config_factory
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.parts import DECODER_PART, ENCODER_PART, NEXT_STEP_PART, EncoderPart, parts_of
from tfexport.declarations.tasks import WITH_PAST
from tfexport.dummy_inputs import PAST
from tfexport.errors import BenchmarkError, CheckpointNotFoundError, ProcessError
from tfexport.pipeline.publishing import MANIFEST, read_manifest
from tfexport.pipeline.sidecar_files import GENERATION_CONFIG
from tfexport.processes.isolation import call_isolated
from tfexport.validation.cases import case_inputs, longest_sequence, standard_cases
from tfexport.validation.comparison import DEFAULT_RTOL

_SUFFIX = ".onnx"
_PROMPT = ("input_ids", "attention_mask")
_ATOL = 1e-4
"""Of a file whose source is not known."""


@dataclass(frozen=True)
class Target:
    """Something to measure.

    Attributes:
        model: in the forms that engines take.
        writes: whether it writes text.
        has_sequence: whether it has an axis of tokens.
        longest: the longest row that it takes, what it writes included; None for any.
        framework: that the files were made from; None where it is not known.
        atol: of the parity gate at float32.
        rtol: relative to the largest magnitude of an output.
        make_inputs: from a setting to NumPy arrays.
        export_s: what exporting took; None where it is not known.
        about: for a results file.
    """

    model: Model
    writes: bool
    has_sequence: bool
    longest: int | None
    framework: str | None
    atol: float
    rtol: float
    make_inputs: Callable[[Setting], Arrays]
    export_s: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """A target, as a user names it.

    Attributes:
        path: an exported directory, an ONNX file, a checkpoint folder, or a hub id.
        name: for results; the last part of the path by default.
        feature: of a checkpoint; what its own class computes by default.
        framework: that a checkpoint is exported from.
        reference: a checkpoint of the same weights, for files whose manifest names none that is there.
        axes: lengths of axes of an ONNX file whose names do not tell, by name.
    """

    path: str
    name: str = ""
    feature: str = AUTO
    framework: str | None = None
    reference: str | None = None
    axes: Mapping[str, int] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """Its name in results."""
        return self.name or Path(self.path).name.removesuffix(_SUFFIX) or self.path


def open_target(request: Request, folder: Path, say: Callable[[str], None]) -> Target:
    """Look at a target; a checkpoint is exported into a folder first.

    Args:
        request: what is to be measured.
        folder: where a checkpoint is exported to, under its name.
        say: called with a line on what takes a while.

    Raises:
        CheckpointNotFoundError: there is no such target, or no ONNX file in it.
        BenchmarkError: it is exported in a form that cannot be measured, or could not be exported.
    """
    path = Path(request.path).expanduser()
    if path.suffix == _SUFFIX and path.is_file():
        return _open_file(request, path)
    if path.is_dir() and any(path.glob(f"*{_SUFFIX}")):
        return _open_export(request, path, "export", request.reference)
    if not path.exists() and path.suffix == _SUFFIX:
        raise CheckpointNotFoundError(
            f"{path} does not exist. Expected an exported directory, an ONNX file or a checkpoint."
        )
    exported = folder / request.called
    say(f"exporting {request.called}")
    try:
        call_isolated(_export, request, exported)
    except ProcessError as error:
        raise BenchmarkError(f"{request.path} could not be exported: {error}") from error
    return _open_export(request, exported, "checkpoint", request.path)


def _export(request: Request, output: Path) -> None:
    from tfexport.pipeline.export import export_model

    export_model(request.path, output, feature=request.feature, framework=request.framework)


def _open_file(request: Request, path: Path) -> Target:
    model = graph_facts.read(path)
    if any(value.name.startswith(PAST) for value in graph_facts.real_inputs(model)):
        raise BenchmarkError(
            f"{path} has a key-value cache: it is measured by the text that it writes. Give the directory that it lies in, with "
            "its config.json."
        )
    return Target(
        model=Model(request.called, {path.stem: path.absolute()}, tuple(value.name for value in model.graph.output)),
        writes=False,
        has_sequence=graph_facts.has_sequence(model),
        longest=None,
        framework=None,
        atol=_ATOL,
        rtol=DEFAULT_RTOL,
        make_inputs=lambda setting: graph_facts.random_inputs(model, setting.batch, setting.sequence, request.axes),
        about=_about(request.called, "onnx", {path.stem: path}, {path.stem: graph_facts.facts(model)}, {}),
    )


def _open_export(request: Request, folder: Path, kind: str, checkpoint: str | None) -> Target:
    manifest = read_manifest(folder)
    files = {file.stem: file.absolute() for file in sorted(folder.glob(f"*{_SUFFIX}"))}
    if not (
        folder / CONFIG
    ).is_file():  # of another tool, or of a model that is not of transformers: it is what its files say
        if len(files) > 1:
            raise CheckpointNotFoundError(
                f"{folder} holds {len(files)} ONNX files, and neither {MANIFEST} nor {CONFIG} that say what they are. "
                "Give one file."
            )
        return _open_file(request, next(iter(files.values())))
    described = open_checkpoint(folder)
    named = manifest.get("feature") or request.feature
    feature = choose_feature(named, described.config, str(folder))
    model_type = described.config.model_type
    declared = config_factory(model_type, feature.removesuffix(WITH_PAST), str(folder))(described.config)
    graphs = {stem: graph_facts.facts(graph_facts.read(file)) for stem, file in files.items()}
    writes = _writes(folder, graphs)
    preprocessor = load_preprocessor(described).value
    source = checkpoint or _source_of(manifest)
    start = _start(folder, described.config) if writes and ENCODER_PART in files else None
    return Target(
        model=Model(
            name=request.called,
            files=files,
            outputs=() if writes else tuple(graphs["model"]["outputs"]),
            checkpoint=source,
            feature=feature,
            start=start,
        ),
        writes=writes,
        has_sequence=any("sequence" in label for label in _axes(_read_by_user(declared, writes))),
        longest=longest_sequence(declared),
        framework=manifest.get("framework", {}).get("name") if source else None,
        atol=declared.atol_for_validation,
        rtol=DEFAULT_RTOL,
        make_inputs=lambda setting: _inputs(declared, preprocessor, setting),
        export_s=sum(stage["seconds"] for stage in manifest["stages"].values()) if manifest else None,
        about=_about(request.called, kind, files, graphs, manifest) | {"model_type": model_type, "feature": feature},
    )


def _writes(folder: Path, graphs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the files write text.

    Raises:
        BenchmarkError: they compute parts of what writes text, and not all of them.
    """
    if "model" in graphs:
        return any(name.startswith(PAST) for name in graphs["model"]["inputs"])
    if {ENCODER_PART, DECODER_PART, NEXT_STEP_PART} <= set(graphs):
        return True
    raise BenchmarkError(
        f"{folder} holds {', '.join(sorted(graphs))}, without a key-value cache. Export it with a feature with past, "
        "or give one of the files."
    )


def _source_of(manifest: Mapping[str, Any]) -> str | None:
    """The checkpoint that an export was made of, if it is still there."""
    source = manifest.get("source", {}).get("checkpoint")
    return source if source and Path(source).exists() else None


def _start(folder: Path, config: Any) -> int:
    """The token that a decoder begins with."""
    file = folder / GENERATION_CONFIG
    settings = json.loads(file.read_text()) if file.is_file() else {}
    holders = (config, getattr(config, "decoder", None))
    named = [
        settings.get("decoder_start_token_id"),
        *(getattr(each, "decoder_start_token_id", None) for each in holders),
    ]
    named += [settings.get("bos_token_id"), *(getattr(each, "bos_token_id", None) for each in holders)]
    return next((int(token) for token in named if token is not None), 0)


def _read_by_user(declared: OnnxConfig, writes: bool) -> Mapping[str, Mapping[int, str]]:
    """The inputs that a user gives."""
    if not writes:
        return declared.inputs
    if ENCODER_PART in parts_of(declared):
        return EncoderPart(declared).inputs  # type: ignore[arg-type]
    return {name: axes for name, axes in declared.inputs.items() if name in _PROMPT}


def _axes(inputs: Mapping[str, Mapping[int, str]]) -> set[str]:
    return {label for axes in inputs.values() for label in axes.values()}


def _inputs(declared: OnnxConfig, preprocessor: Any, setting: Setting) -> Arrays:
    """Inputs of a setting: full rows, of values that a model can take."""
    standard = standard_cases(declared)[-1]
    sequence = standard.sequence if setting.sequence is None else setting.sequence
    case = replace(standard, batch=setting.batch, sequence=sequence, padding=None, past=None, image=None)
    if case.seconds is not None:
        case = replace(case, seconds=1.0)
    if case.images is not None:
        case = replace(case, images=setting.batch)
    made = case_inputs(declared, preprocessor, case, "np")
    return {name: made[name] for name in _read_by_user(declared, setting.tokens > 0)}


def _about(
    name: str,
    kind: str,
    files: Mapping[str, Path],
    graphs: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> dict[str, Any]:
    listed = manifest.get("files", {})
    data = {file.name: file for path in files.values() for file in (path, *path.parent.glob(f"{path.name}*data"))}
    return {
        "name": name,
        "kind": kind,
        "exported_from": manifest.get("framework", {}).get("name"),
        "exporter": manifest.get("exporter"),
        "validated": manifest.get("validated"),
        "files": {
            file: {
                "bytes": path.stat().st_size,
                "sha256": listed[file]["sha256"] if file in listed else sha256_of(path),
            }
            for file, path in data.items()
        },
        "graphs": dict(graphs),
    }
