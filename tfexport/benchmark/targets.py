"""Targets: an exported directory, an ONNX file, or a checkpoint, which is exported first."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path
from typing import Any

from tfexport.benchmark import graph_facts
from tfexport.benchmark.cells import Setting
from tfexport.benchmark.run_spec import Arrays, Model
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.configuration import CONFIG
from tfexport.checkpoints.framework import check_framework
from tfexport.checkpoints.preprocessor import load_preprocessor
from tfexport.checkpoints.sources import hub_kind
from tfexport.checkpoints.weight_files import sha256_of
from tfexport.declarations.features import AUTO, choose_feature, config_factory
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.parts import DECODER_PART, ENCODER_PART, NEXT_STEP_PART, EncoderPart, parts_of
from tfexport.declarations.tasks import WITH_PAST
from tfexport.dummy_inputs import PAST
from tfexport.errors import (
    BenchmarkError,
    CheckpointNotFoundError,
    CorruptCheckpointError,
    ProcessError,
    UnreadableFileError,
)
from tfexport.files.json_files import read_object
from tfexport.files.places import check_held, exists, expanded
from tfexport.files.reading import is_regular
from tfexport.keywords import (
    Reader,
    checked_by,
    name_text,
    not_valid,
    optional,
    path_text,
    read_keywords,
    shown,
    text,
    whole,
)
from tfexport.pipeline.publishing import MANIFEST, read_manifest
from tfexport.pipeline.sidecar_files import GENERATION_CONFIG
from tfexport.processes.isolation import call_isolated
from tfexport.validation import DEFAULT_RTOL, case_inputs, longest_sequence, standard_cases

_SUFFIX = ".onnx"
_PROMPT = ("input_ids", "attention_mask")
_LONGEST_NAME = 100
_LONGEST_AXIS = 2**31 - 1
_ATOL = 1e-4
"""Absolute tolerance of a file whose source is not known."""


@dataclass(frozen=True)
class Target:
    """A target.

    Attributes:
        model: Model in the forms that engines load.
        writes: Whether it writes text.
        has_sequence: Whether it has an axis of tokens.
        longest: Length of the longest row that it accepts, written tokens included; None for any length.
        framework: Framework that the files were exported from; None when it is not known.
        atol: Absolute tolerance of the parity gate at float32.
        rtol: Tolerance relative to the largest magnitude of an output.
        make_inputs: Function that returns the NumPy arrays of a setting.
        export_s: Time of the export in seconds; None when it is not known.
        about: Facts for a results file.
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
    """A target as a user names it.

    Attributes:
        path: Exported directory, ONNX file, checkpoint folder, or hub id.
        name: Name in results; the last part of the path by default.
        feature: Feature of a checkpoint; by default the one of its class.
        framework: Framework that a checkpoint is exported from.
        reference: Checkpoint of the same weights, for files whose manifest does not name one that exists.
        model_type: Model type, for a configuration that does not name one.
        axes: Lengths of axes of an ONNX file, for those whose name does not say it.

    Raises:
        InputsError: A value is not of its type, or the name cannot be that of a folder.
    """

    path: str
    name: str = ""
    feature: str = AUTO
    framework: str | None = None
    reference: str | None = None
    model_type: str | None = None
    axes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in read_keywords(vars(self), _READERS).items():
            object.__setattr__(self, name, value)

    @property
    def called(self) -> str:
        """Name in results."""
        path = expanded(self.path)
        own = path.name if path.name not in ("", "..") else path.resolve().name
        return self.name or own.removesuffix(_SUFFIX) or own or "root"


def _name(name: str, value: Any) -> str:
    """Read the name of a target, which folders are called by."""
    found = text(name, value)
    is_odd = "\0" in found or found.encode("utf-8", "ignore").decode() != found
    if found and (Path(found).name != found or found == ".." or is_odd or len(found) > _LONGEST_NAME):
        raise not_valid(name, value, f"a name without a slash, of at most {_LONGEST_NAME} letters (NAME=TARGET)")
    return found


def _lengths(name: str, value: Any) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise not_valid(name, value, "a mapping of names to lengths")
    return {text(name, axis): whole(1, _LONGEST_AXIS)(name, length) for axis, length in value.items()}


_READERS: dict[str, Reader] = {
    "path": path_text,
    "name": _name,
    "feature": name_text,
    "framework": optional(checked_by(check_framework)),
    "reference": optional(path_text),
    "model_type": optional(name_text),
    "axes": _lengths,
}


def open_target(request: Request, folder: Path, announce: Callable[[str], None]) -> Target:
    """Open a target; a checkpoint is exported into a folder first.

    Args:
        request: Target to measure.
        folder: Folder in which a checkpoint is exported, under its name.
        announce: Function that is called with the name of a step that takes long.

    Raises:
        CheckpointNotFoundError: The target does not exist, or holds no ONNX file.
        BenchmarkError: The target is exported in a form that cannot be measured, or could not be exported.
    """
    path = expanded(request.path)
    known = exists(path)
    if path.suffix == _SUFFIX and known and not path.is_dir():
        return _open_file(request, path)
    if known and path.is_dir() and any(path.glob(f"*{_SUFFIX}")):
        return _open_export(request, path, "export", request.reference)
    if path.suffix == _SUFFIX and not known:
        raise CheckpointNotFoundError(
            f"{path} does not exist. Expected an exported directory, an ONNX file or a checkpoint."
        )
    exported = folder / request.called
    announce(f"exporting {request.called}")
    try:
        call_isolated(_export, request, exported)
    except ProcessError as error:
        raise BenchmarkError(f"{request.path} could not be exported: {error}") from error
    return _open_export(request, exported, "checkpoint", request.path)


def _export(request: Request, output: Path) -> None:
    from tfexport.pipeline.export import export_model

    export_model(
        request.path, output, feature=request.feature, framework=request.framework, model_type=request.model_type
    )


def _open_file(request: Request, path: Path) -> Target:
    model = graph_facts.read(path)
    if any(value.name.startswith(PAST) for value in graph_facts.real_inputs(model)):
        raise BenchmarkError(
            f"{path} has a key-value cache, so that the time to write text is measured. Name its directory in place of the file; "
            "the directory must hold config.json."
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
    if (folder / CONFIG).is_file():
        return _describe_export(request, folder, kind, checkpoint or _source_of(manifest), files, manifest)
    # From another tool, or not a model of transformers: only the files describe it.
    if len(files) > 1:
        raise CheckpointNotFoundError(
            f"{folder} holds {len(files)} ONNX files, and neither {MANIFEST} nor {CONFIG}, which describe them. "
            "Name one of the files."
        )
    return _open_file(request, next(iter(files.values())))


def _describe_export(
    request: Request,
    folder: Path,
    kind: str,
    source: str | None,
    files: Mapping[str, Path],
    manifest: Mapping[str, Any],
) -> Target:
    """Return the target of an exported directory that holds a configuration of transformers."""
    # The files are measured, not the checkpoint: weights beside them are not opened.
    described = Checkpoint(str(folder), hub_kind(), folder, (), model_type=request.model_type)
    feature = choose_feature(manifest.get("feature") or request.feature, described.config, str(folder))
    model_type = described.config.model_type
    declared = config_factory(model_type, feature.removesuffix(WITH_PAST), str(folder))(described.config)
    graphs = {stem: graph_facts.facts(graph_facts.read(file)) for stem, file in files.items()}
    writes = _writes(folder, graphs)
    preprocessor = load_preprocessor(described).value
    return Target(
        model=Model(
            name=request.called,
            files=files,
            outputs=() if writes else tuple(graphs["model"]["outputs"]),
            checkpoint=source,
            feature=feature,
            model_type=model_type,
            start=_start(folder, described.config) if writes and ENCODER_PART in files else None,
        ),
        writes=writes,
        has_sequence=any("sequence" in label for label in _axes(_user_inputs(declared, writes))),
        longest=longest_sequence(declared),
        framework=manifest.get("framework", {}).get("name") if source else None,
        atol=declared.atol_for_validation,
        rtol=DEFAULT_RTOL,
        make_inputs=lambda setting: _inputs(declared, preprocessor, setting),
        export_s=sum(stage["seconds"] for stage in manifest["stages"].values()) if "stages" in manifest else None,
        about=_about(request.called, kind, files, graphs, manifest) | {"model_type": model_type, "feature": feature},
    )


def _writes(folder: Path, graphs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether the files write text.

    Raises:
        BenchmarkError: They are only some of the parts that writing text requires.
    """
    if "model" in graphs:
        return any(name.startswith(PAST) for name in graphs["model"]["inputs"])
    if {ENCODER_PART, DECODER_PART, NEXT_STEP_PART} <= set(graphs):
        return True
    raise BenchmarkError(
        f"{folder} holds {', '.join(sorted(graphs))}, without a key-value cache. Export a feature that ends in {WITH_PAST}, "
        "or name one of the files."
    )


def _source_of(manifest: Mapping[str, Any]) -> str | None:
    """Return the checkpoint of an export, if it still exists."""
    source = manifest.get("source", {}).get("checkpoint")
    return source if source and exists(expanded(source)) else None


def _start(folder: Path, config: Any) -> int:
    """Return the first token of a decoder."""
    file = folder / GENERATION_CONFIG
    try:
        settings = read_object(file) if os.path.lexists(file) else {}
    except UnreadableFileError as error:
        raise CorruptCheckpointError(f"{error}. Export the checkpoint again.") from error
    holders = (config, getattr(config, "decoder", None))
    named = [
        settings.get("decoder_start_token_id"),
        *(getattr(each, "decoder_start_token_id", None) for each in holders),
    ]
    named += [settings.get("bos_token_id"), *(getattr(each, "bos_token_id", None) for each in holders)]
    token = next((token for token in named if token is not None), 0)
    if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < _LONGEST_AXIS:
        raise CorruptCheckpointError(
            f"{folder} names {shown(token)} as the first token of a decoder; expected a number. Export the checkpoint again."
        )
    return token


def _user_inputs(declared: OnnxConfig, writes: bool) -> Mapping[str, Mapping[int, str]]:
    """Return the inputs that a user passes: without a cache, and without the inputs that the decoder loop makes."""
    if not writes:
        return declared.inputs
    if ENCODER_PART in parts_of(declared):
        return EncoderPart(declared).inputs  # type: ignore[arg-type]
    return {name: axes for name, axes in declared.inputs.items() if name in _PROMPT}


def _axes(inputs: Mapping[str, Mapping[int, str]]) -> set[str]:
    return {label for axes in inputs.values() for label in axes.values()}


def _inputs(declared: OnnxConfig, preprocessor: Any, setting: Setting) -> Arrays:
    """Return the inputs of a setting: full rows of values that the model accepts."""
    standard = standard_cases(declared)[-1]
    sequence = standard.sequence if setting.sequence is None else setting.sequence
    case = replace(standard, batch=setting.batch, sequence=sequence, padding=None, past=None, image=None)
    if case.seconds is not None:
        case = replace(case, seconds=1.0)
    if case.images is not None:
        case = replace(case, images=setting.batch)
    made = case_inputs(declared, preprocessor, case, "np")
    return {name: made[name] for name in _user_inputs(declared, setting.tokens > 0)}


def _about(
    name: str,
    kind: str,
    files: Mapping[str, Path],
    graphs: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> dict[str, Any]:
    listed = manifest.get("files", {})
    data = {
        file.name: file
        for path in files.values()
        for file in (path, *path.parent.glob(f"{escape(path.name)}*data"))
        if is_regular(file)
    }
    return {
        "name": name,
        "kind": kind,
        "exported_from": manifest.get("framework", {}).get("name"),
        "exporter": manifest.get("exporter"),
        "validated": manifest.get("validated"),
        "files": {
            file: {
                "bytes": path.stat().st_size,
                "sha256": listed[file]["sha256"] if file in listed else _digest(path),
            }
            for file, path in data.items()
        },
        "graphs": dict(graphs),
    }


def _digest(file: Path) -> str:
    try:
        check_held(file)
    except UnreadableFileError as error:
        raise CorruptCheckpointError(f"{error}. Its checksum is not computed: fetch or export it again.") from error
    return sha256_of(file)
