"""An exported directory checked again, also one that another tool made."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tfexport.checkpoints.checkpoint import sha256_of
from tfexport.checkpoints.signature import SignatureOptions, signature_options
from tfexport.declarations.features import AUTO
from tfexport.declarations.parts import ENCODER_PART
from tfexport.errors import CheckpointNotFoundError, InputsError
from tfexport.parity.corners import file_corners
from tfexport.parity.exchange import Exchange
from tfexport.parity.files import CPU
from tfexport.parity.frameworks import Model, Ran, run_model
from tfexport.parity.localisation import Side, locate
from tfexport.parity.matrix import Corner, compare_corners
from tfexport.parity.report import Report
from tfexport.pipeline.publishing import read_manifest
from tfexport.processes.isolation import call_isolated
from tfexport.runtime.providers import check_providers


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
    repro: Path | None = None,
    trust: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Check an exported directory against the checkpoint that it was made from.

    Its checksums, the structure of each file, and what each computes on more cases than an export is validated on.

    Args:
        directory: with ``model.onnx``, or the files of an encoder-decoder; a manifest may be missing.
        reference: the checkpoint; None for the one that the manifest names.
        feature: what the files compute; None for what the manifest says, else what the checkpoint's class computes.
        framework: ``"pt"`` or ``"tf"``; None for what the manifest says, else what the checkpoint is.
        providers: execution providers of ONNX Runtime.
        atol: absolute tolerance; None for the declaration's.
        rtol: tolerance relative to the largest magnitude of an output; None for 2e-5.
        cache_dir: where transformers keeps what it downloads.
        repro: a folder for the failing case in the layout of ONNX's backend tests; None for none.
        trust: run the code that the checkpoint holds: a manifest cannot say so for the user.
        progress: called with a line on what is being done.

    Raises:
        CheckpointError, FrameworkError, UnsupportedError: the reference cannot be used.
        InputsError: no reference is known.
        ProviderError: a provider cannot be had.
        ProcessError: the reference cannot be run.
    """
    say = progress or (lambda text: None)
    check_providers(providers)
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise CheckpointNotFoundError(f"{folder} is no directory. Expected one that holds exported ONNX files.")
    manifest = read_manifest(folder)
    source = str(reference or _source(manifest, folder))
    named = manifest.get("framework", {}).get("name")
    model = Model(
        source,
        feature or manifest.get("feature") or AUTO,
        framework or named,
        atol,
        rtol,
        None if cache_dir is None else str(cache_dir),
        monolith=not (folder / f"{ENCODER_PART}.onnx").is_file(),
        options=_options(manifest, trust),
    )
    plan = model.planned(call_isolated)
    model = replace(model, framework=plan.framework, feature=plan.feature)
    paths = {part: folder / f"{part}.onnx" for part in plan.parts}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise CheckpointNotFoundError(f"{folder} lacks {', '.join(missing)}, which {plan.feature} consists of.")
    say("checking checksums")
    changed = list(_changed(folder, manifest))
    if reference is None:
        changed += _changed_source(source, manifest)
    with ExitStack() as stack:
        exchange = Exchange(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfexport-validate-"))))
        say(f"running {plan.framework}")
        ran: Ran = call_isolated(run_model, model, exchange.folder, plan.framework, True)
        corners = [Corner(plan.framework, ran)]
        name = f"onnx-{plan.framework}"
        corners += file_corners(name, paths, manifest, providers, ran, exchange, call_isolated, say)
        pairs = compare_corners(corners, ran.cases, exchange, plan.tolerance)
        located = []
        for pair in pairs:
            if not pair.agrees and pair.second == name:
                say("looking for the layer where they part")
                sides = Side(pair.first, model), Side(name, files=paths)
                found = locate(pair, *sides, exchange, plan.tolerance, repro, call_isolated)
                located += [] if found is None else [found]
    return Report(
        checkpoint=f"{folder} beside {source}",
        feature=plan.feature,
        model_type=plan.about,
        tolerance=plan.tolerance,
        corners=tuple(corners),
        cases=ran.cases,
        pairs=tuple(pairs),
        located=tuple(located),
        beside=tuple(changed),
    )


def _options(manifest: Mapping[str, Any], trust: bool) -> SignatureOptions:
    """How the export read its model, but for whether it is trusted."""
    exported = manifest.get("source", {}).get("options") or {}
    known = {field.name for field in fields(SignatureOptions)} - {"trust"}
    return signature_options(trust=trust, **{name: value for name, value in exported.items() if name in known})


def _source(manifest: Mapping[str, Any], folder: Path) -> str:
    named = manifest.get("source", {}).get("checkpoint")
    if not named:
        raise InputsError(
            f"{folder} does not say what it was made from. Name the checkpoint by --reference (reference=)."
        )
    return str(named)


def _changed_source(source: str, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Files of the checkpoint that are not those that were exported: the directory may be right, and its reference another."""
    path = Path(source).expanduser()
    root = path if path.is_dir() else path.parent
    for name, digest in manifest.get("source", {}).get("sha256", {}).items():
        if (root / name).is_file() and sha256_of(root / name) != digest:
            yield f"{name} of {source} is not the file that was exported: it has been written since"


def _changed(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Files that are not what the manifest lists."""
    for name, listed in manifest.get("files", {}).items():
        file = folder / name
        if not file.is_file():
            yield f"{name} is missing; the manifest lists it"
        elif file.stat().st_size != listed["bytes"]:
            yield f"{name} has {file.stat().st_size} bytes; the manifest says {listed['bytes']}"
        elif sha256_of(file) != listed["sha256"]:
            yield f"{name} is not the file that was exported: its SHA-256 differs from the manifest's"
