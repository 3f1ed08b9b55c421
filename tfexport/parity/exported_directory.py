"""Check an exported directory again; other tools may have written it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tfexport.checkpoints.signature import SignatureOptions, signature_options
from tfexport.checkpoints.weight_files import sha256_of
from tfexport.declarations.features import AUTO
from tfexport.declarations.parts import ENCODER_PART
from tfexport.errors import CheckpointNotFoundError, CorruptCheckpointError, InputsError, UnreadableFileError
from tfexport.files.places import check_held, expanded, inside
from tfexport.files.reading import is_regular
from tfexport.keywords import path_text
from tfexport.parity.corners import CPU, Corner, CornerId
from tfexport.parity.exchange import Exchange
from tfexport.parity.frameworks import FrameworkModel, PlanSummary
from tfexport.parity.parity_run import Export, ParityRun
from tfexport.parity.process_limits import ProcessLimits
from tfexport.parity.report import ParityReport
from tfexport.pipeline.options import export_options
from tfexport.pipeline.publishing import MANIFEST, read_manifest
from tfexport.processes.isolation import call_isolated
from tfexport.runtime.providers import check_providers
from tfexport.text import Lasting


def validate_export(
    directory: str | Path,
    *,
    reference: str | Path | None = None,
    feature: str | None = None,
    framework: str | None = None,
    providers: Sequence[str] = (CPU,),
    atol: float | None = None,
    rtol: float | None = None,
    cache_dir: str | Path | None = None,
    model_type: str | None = None,
    repro: Path | None = None,
    trust: bool = False,
    time_limit_s: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> ParityReport:
    """Check an exported directory against the checkpoint that it was exported from.

    Checks the checksums and the structure of each file, and compares the outputs on more cases than an export does.

    Args:
        directory: Directory that holds ``model.onnx``, or the files of an encoder-decoder. A manifest is not required.
        reference: Checkpoint; None for the one that the manifest names.
        feature: Feature of the files; None for the manifest's, or else the one of the checkpoint's class.
        framework: ``"pt"`` or ``"tf"``; None for the manifest's, or else the one of the checkpoint.
        providers: Execution providers of ONNX Runtime that run the files.
        atol: Absolute tolerance; None for the declaration's.
        rtol: Tolerance relative to the largest magnitude of an output; None for 2e-5.
        cache_dir: Folder of transformers' downloads.
        model_type: Model type, for a checkpoint whose configuration does not name one; None for the manifest's.
        repro: Folder for the failing case, in the layout of ONNX's backend tests; None for none.
        trust: Whether to run the code that the checkpoint holds. A manifest cannot allow that for the user.
        time_limit_s: Seconds that each process may take; None for a limit that depends on the checkpoint and its files.
        progress: Function that is called with the name of each step.

    Raises:
        CheckpointError, FrameworkError, UnsupportedError: The reference cannot be used, or the manifest cannot be read.
        InputsError: No reference is known.
        ProviderError: A provider is not available.
        ProcessError: The reference cannot be run.
    """
    announce = progress or (lambda text: None)
    check_providers(providers)
    limits = ProcessLimits.of(time_limit_s)
    folder = expanded(directory)
    if not folder.is_dir():
        raise CheckpointNotFoundError(f"{folder} is not a directory. Expected one that holds exported ONNX files.")
    manifest = read_manifest(folder)
    source = _source(manifest, folder) if reference is None else path_text("reference", reference)
    announce("checking checksums")
    changed = [*_changed(folder, manifest), *(_changed_source(source, manifest) if reference is None else ())]
    for sentence in changed:  # at once: the comparison takes minutes
        announce(Lasting(sentence))
    options = export_options(
        feature=(manifest.get("feature") or AUTO) if feature is None else feature,
        framework=manifest.get("framework", {}).get("name") if framework is None else framework,
        atol=atol,
        rtol=rtol,
        cache_dir=cache_dir,
        model_type=_model_type(manifest) if model_type is None and reference is None else model_type,
    )
    model = FrameworkModel(source, replace(options, signature=_options(manifest, trust)))
    plan = model.summary(limits.on_frameworks(call_isolated))
    if ENCODER_PART in plan.parts and not (folder / f"{ENCODER_PART}.onnx").is_file():
        model = model.in_one_file()
        plan = model.summary(limits.on_frameworks(call_isolated))
    export = Export(plan.framework, _paths(folder, plan), manifest)
    with tempfile.TemporaryDirectory(prefix="tfexport-validate-") as exchanged:
        run = ParityRun(plan, Exchange(Path(exchanged)), providers, call_isolated, announce, limits)
        report = _compare(run, model.in_framework(plan.framework, plan.feature), export, repro)
    return replace(report, checkpoint=f"{folder} beside {source}", changes=tuple(changed))


def _compare(run: ParityRun, model: FrameworkModel, export: Export, repro: Path | None) -> ParityReport:
    """Run the reference and the files, and compare them."""
    plan = run.plan
    result = run.run_source(model)
    corners = [Corner(CornerId(plan.framework), result), *run.run_files(export, result)]
    pairs = run.compare(corners, result)
    return ParityReport(
        checkpoint=model.checkpoint,
        feature=plan.feature,
        model_type=plan.about,
        tolerance=plan.tolerance,
        corners=tuple(corners),
        cases=dict(result.cases),
        pairs=tuple(pairs),
        located=tuple(run.locate(pairs, {plan.framework: model}, [export], lambda pair: repro)),
    )


def _paths(folder: Path, plan: PlanSummary) -> dict[str, Path]:
    """Return the files of an export by part.

    Raises:
        CheckpointNotFoundError: One is missing.
    """
    paths = {part: folder / f"{part}.onnx" for part in plan.parts}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise CheckpointNotFoundError(
            f"{folder} lacks {', '.join(missing)}; an export of the feature {plan.feature} has these files. Name the feature of "
            "the files by --feature (feature=...)."
        )
    return paths


def _options(manifest: Mapping[str, Any], trust: bool) -> SignatureOptions:
    """Return the options with which the export read its model, but for whether it is trusted.

    Raises:
        CorruptCheckpointError: The manifest holds options that are not valid.
    """
    exported = manifest.get("source", {}).get("options") or {}
    known = {field.name for field in fields(SignatureOptions)} - {"trust"}
    try:
        return signature_options(trust=trust, **{name: value for name, value in exported.items() if name in known})
    except InputsError as error:
        raise CorruptCheckpointError(f"{MANIFEST} has options of the model that are not valid: {error}") from error


def _model_type(manifest: Mapping[str, Any]) -> str | None:
    """Return the model type with which the export read a configuration; None for a model without one."""
    found = manifest.get("source", {}).get("model_type")
    return None if found is None else str(found)


def _source(manifest: Mapping[str, Any], folder: Path) -> str:
    """Return the checkpoint that the manifest names.

    Raises:
        InputsError: The manifest names none.
    """
    named = manifest.get("source", {}).get("checkpoint")
    if not named:
        raise InputsError(
            f"{folder} does not say which checkpoint it was exported from. Name it by --reference (reference=...)."
        )
    return str(named)


def _changed_source(source: str, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence per file of the checkpoint that changed: then the directory may be right, and its reference wrong.

    Raises:
        CorruptCheckpointError: The manifest names a file outside of the checkpoint's folder.
    """
    path = expanded(source)
    root = path if path.is_dir() else path.parent
    for name, digest in manifest.get("source", {}).get("sha256", {}).items():
        file = _named(root, name)
        if is_regular(file) and _digest(file) != digest:
            yield f"{name} of {source} is not the file that was exported: it has been written since"


def _changed(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence per file that differs from the manifest.

    Raises:
        CorruptCheckpointError: The manifest names a file outside of the folder.
    """
    for name, listed in manifest.get("files", {}).items():
        file = _named(folder, name)
        if not is_regular(file):
            yield f"{name} is missing; the manifest lists it"
        elif file.stat().st_size != listed["bytes"]:
            yield f"{name} has {file.stat().st_size} bytes; the manifest says {listed['bytes']}"
        elif _digest(file) != listed["sha256"]:
            yield f"{name} is not the file that was exported: its SHA-256 differs from the manifest's"


def _named(folder: Path, name: str) -> Path:
    try:
        return inside(folder, name)
    except UnreadableFileError as error:
        raise CorruptCheckpointError(
            f"{MANIFEST} names a file that is not read: {error}. Export the checkpoint again."
        ) from error


def _digest(file: Path) -> str:
    try:
        check_held(file)
    except UnreadableFileError as error:
        raise CorruptCheckpointError(f"{error}. Its checksum is not computed: fetch or export it again.") from error
    return sha256_of(file)
