"""Parity of a checkpoint: four corners, all pairs, a verdict, and where it is not kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfexport.backends import installed_frameworks
from tfexport.checkpoints.framework import FRAMEWORKS, Framework
from tfexport.checkpoints.signature import SignatureOptions
from tfexport.errors import FrameworkError, InputsError, ProcessError, UnsupportedError
from tfexport.parity.corners import file_corners
from tfexport.parity.exchange import Exchange
from tfexport.parity.files import CPU
from tfexport.parity.frameworks import Model, Planned, Ran, run_model
from tfexport.parity.localisation import Located, Side, locate
from tfexport.parity.matrix import Corner, Pair, compare_corners
from tfexport.parity.report import Report
from tfexport.processes.isolation import Caller, call_isolated
from tfexport.runtime.providers import check_providers

Progress = Callable[[str], None]
_NO_CLASS = (UnsupportedError, FrameworkError)


@dataclass(frozen=True)
class _Exported:
    """The files of one framework's model.

    Attributes:
        folder: where they lie.
        manifest: of the export.
    """

    folder: Path
    manifest: Mapping[str, Any]


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
    monolith: bool = False,
    keep: Path | None = None,
    repro: Path | None = None,
    progress: Progress | None = None,
    call: Caller = call_isolated,
    options: SignatureOptions | None = None,
) -> Report:
    """Compare a checkpoint in TensorFlow, in PyTorch, and the ONNX files made from each, on the same inputs.

    A Keras file or a KerasHub preset runs in TensorFlow, and in PyTorch under Keras 3; a SavedModel in TensorFlow alone. Each
    corner runs in a process of its own. Where a framework and its file, or the two frameworks, disagree, the first layer
    that differs is looked for.

    Args:
        checkpoint: a folder, or a hub id; each framework loads its own weights, or converts the other's.
        model_tf: a TensorFlow checkpoint, said to be the same model as `model_pt`; both in place of `checkpoint`.
        model_pt: a PyTorch checkpoint.
        feature: what is compared, as in `tfexport.export_checkpoint`.
        providers: execution providers of ONNX Runtime that compute the files; each is a corner.
        atol: absolute tolerance; None for the declaration's.
        rtol: tolerance relative to the largest magnitude of an output; None for 2e-5.
        cache_dir: where transformers keeps what it downloads.
        monolith: one file of an encoder-decoder.
        keep: a folder for the exported files; None to throw them away.
        repro: a folder for the failing cases, each in the layout of ONNX's backend tests; None for none.
        progress: called with a line on what is being done.
        call: how work is called: each call in its own process (`call_isolated`), or all in this one (`call_in_process`).
        options: how a model that is not of transformers is read: `tfexport.checkpoints.signature.signature_options`.

    Raises:
        CheckpointError, FrameworkError, UnsupportedError: the checkpoint cannot be used.
        InputsError: neither a checkpoint nor two are named.
        ProviderError: a provider cannot be had.
        ProcessError: the framework whose checkpoint it is cannot run it.
    """
    say = progress or (lambda text: None)
    check_providers(providers)
    named = _named(checkpoint, model_tf, model_pt)
    first = named if isinstance(named, str) else named["tf"]
    cache = None if cache_dir is None else str(cache_dir)
    chosen = options or SignatureOptions()
    source = Model(first, feature, None if isinstance(named, str) else "tf", atol, rtol, cache, monolith, chosen)
    say("looking at the checkpoint")
    plan = source.planned(call)
    source = replace(source, framework=plan.framework, feature=plan.feature)
    other_framework = next(each for each in FRAMEWORKS if each != source.framework)
    other = replace(source, framework=other_framework)
    if not isinstance(named, str):
        other = replace(other, checkpoint=named[other_framework])
    models: dict[str, Model] = {plan.framework: source, other_framework: other}
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfexport-parity-")))
        exchange = Exchange(work / "exchange")
        say(f"running {plan.framework}")
        ran: Ran = call(run_model, source, exchange.folder, plan.framework, True)
        corners = [Corner(plan.framework, ran), _other_corner(other, other_framework, ran, exchange, call, say)]
        exported: dict[str, _Exported] = {}
        for model, corner in zip((source, other), list(corners), strict=True):
            corners += _exported_corners(
                model, corner, plan, ran, providers, keep or work, exchange, exported, call, say
            )
        cases = ran.cases
        pairs = compare_corners(corners, cases, exchange, plan.tolerance)
        located = _locate(pairs, models, exported, plan, exchange, repro, call, say)
    return Report(
        checkpoint=first if isinstance(named, str) else f"{named['tf']} and {named['pt']}",
        feature=plan.feature,
        model_type=plan.about,
        tolerance=plan.tolerance,
        corners=tuple(corners),
        cases=cases,
        pairs=tuple(pairs),
        located=tuple(located),
        exported={name: each.manifest for name, each in exported.items()},
    )


def _named(
    checkpoint: str | Path | None, model_tf: str | Path | None, model_pt: str | Path | None
) -> str | dict[str, str]:
    if checkpoint is not None and model_tf is None and model_pt is None:
        return str(checkpoint)
    if checkpoint is None and model_tf is not None and model_pt is not None:
        return {"tf": str(model_tf), "pt": str(model_pt)}
    raise InputsError("name one checkpoint, or two by --model-tf and --model-pt (model_tf, model_pt).")


def _other_corner(
    model: Model, framework: Framework, ran: Ran, exchange: Exchange, call: Caller, say: Progress
) -> Corner:
    """The other framework's corner, or why there is none."""
    if framework not in installed_frameworks():
        return Corner(framework, None, "it is not installed", expected=False)
    try:
        model.planned(call)
    except (*_NO_CLASS, ProcessError) as error:
        return Corner(framework, None, str(error), expected=False)
    say(f"running {framework}")
    try:
        return Corner(framework, call(run_model, model, exchange.folder, framework, False, ran.cases))
    except ProcessError as error:
        return Corner(framework, None, str(error))


def _exported_corners(
    model: Model,
    corner: Corner,
    plan: Planned,
    ran: Ran,
    providers: Sequence[str],
    folder: Path,
    exchange: Exchange,
    exported: dict[str, _Exported],
    call: Caller,
    say: Progress,
) -> list[Corner]:
    """The corners of the files made from one framework's model, one a provider."""
    name = f"onnx-{model.framework}"
    if corner.ran is None:
        return [Corner(name, None, f"{model.framework} could not be had", expected=corner.expected)]
    say(f"exporting from {model.framework}")
    try:
        manifest = call(_export, model, folder / name)
    except ProcessError as error:
        return [Corner(name, None, str(error))]
    exported[name] = _Exported(folder / name, manifest)
    paths = {part: folder / name / f"{part}.onnx" for part in plan.parts}
    return file_corners(name, paths, manifest, providers, ran, exchange, call, say)


def _export(model: Model, folder: Path) -> Mapping[str, Any]:
    from tfexport.pipeline.export import export_with

    return export_with(model.checkpoint, folder, model.export_options()).manifest


def _locate(
    pairs: Sequence[Pair],
    models: Mapping[str, Model],
    exported: Mapping[str, _Exported],
    plan: Planned,
    exchange: Exchange,
    repro: Path | None,
    call: Caller,
    say: Progress,
) -> list[Located]:
    """The layers where a framework and its own file, or the two frameworks, part: other pairs follow from these."""
    sides = {name: Side(name, model) for name, model in models.items()}
    sides |= {
        name: Side(name, files={part: each.folder / f"{part}.onnx" for part in plan.parts})
        for name, each in exported.items()
    }
    own = {("tf", "pt"), ("pt", "tf"), ("tf", "onnx-tf"), ("pt", "onnx-pt")}
    found = []
    for pair in pairs:
        if pair.agrees or (pair.first, pair.second) not in own:
            continue
        say(f"looking for the layer where {pair.name} part")
        folder = None if repro is None else repro / f"{pair.first}-{pair.second}"
        located = locate(pair, sides[pair.first], sides[pair.second], exchange, plan.tolerance, folder, call)
        found += [] if located is None else [located]
    return found
