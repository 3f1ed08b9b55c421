"""The whole benchmark, from targets to a results document."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from tfexport.benchmark.cells import Axes
from tfexport.benchmark.engines import engine, engines, missing
from tfexport.benchmark.environment import load_average, machine, usable_cpus
from tfexport.benchmark.groups import Group, check_engines, make_groups, reference_of
from tfexport.benchmark.results import SCHEMA_VERSION, created
from tfexport.benchmark.run import INTERRUPTED, LAUNCHES, ROUND_S, TIME_LIMIT_S, Limits, Progress, measure
from tfexport.benchmark.suite import MOST_PARALLEL, Options
from tfexport.benchmark.targets import Request, Target, open_target
from tfexport.errors import InputsError
from tfexport.files.places import exists
from tfexport.keywords import not_valid, path, path_text, shown, text
from tfexport.reporting.requirements import MEASURING, require
from tfexport.runtime.errors import import_runtime

_Value = TypeVar("_Value")
ALL = "all"
_COMPILED = {"tf": "tf-function", "pt": "torch-eager"}
_COMPILED_TEXT = {"tf": "tf-xla", "pt": "torch-eager"}


def benchmark(
    targets: Sequence[Request | tuple[Request, Options] | str | Path],
    options: Options | None = None,
    *,
    name: str | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure targets, and compare the first engine of each with the others.

    Args:
        targets: Exported directories, ONNX files or checkpoints, each with or without options of its own.
        options: Options of all targets.
        name: Name of the results; the names of the targets by default.
        folder: Folder in which checkpoints are exported and kept; a temporary one by default.
        progress: Function that is called with the share that is done, and the name of the step.

    Returns:
        A document as in ``results.schema.json``. `tfexport.benchmark.write` writes it; `tfexport.benchmark.report.render`
        renders it. After an interruption (Ctrl-C) it holds what was measured until then, without the groups that were not begun.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime is not installed.
        BenchmarkError: An engine, a provider or a target cannot be measured here.
        CheckpointError: A target does not exist.
        InputsError: A setting is not valid.
    """
    requests = _requests(targets)
    if options is not None and not isinstance(options, Options):
        raise not_valid("options", options, "tfexport.benchmark.Options")
    shared = options or Options()
    name = None if name is None else text("name", name)
    folder = None if folder is None else path("folder", folder)
    if folder is not None and exists(folder) and not folder.is_dir():
        raise not_valid("folder", str(folder), "a folder, in which exported checkpoints are kept (--keep)")
    import_runtime()
    announce = progress or (lambda share, text: None)
    limits = Limits(shared.launches or LAUNCHES, shared.round_s or ROUND_S, shared.time_limit_s or TIME_LIMIT_S)
    require(MEASURING)
    before, begin = machine(), time.perf_counter()
    with ExitStack() as stack:
        exports = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfexport-benchmark-")))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfexport-benchmark-")))
        planned = _planned(requests, shared, exports, announce)
        groups = _groups(planned, scratch, limits.time_limit_s, announce)
        ended = measure(groups, limits, begin, announce)
    return {
        "schema_version": SCHEMA_VERSION,
        "created": created(),
        "name": name or ", ".join(planned),
        "ended": ended,
        "settings": {**vars(limits), "axes": {target: axes.as_dict() for target, (_, axes) in planned.items()}},
        "environment": {"before": before, "load_average_after": load_average()},
        "engines": _descriptions(planned),
        "targets": [
            {**target.about, "export_s": target.export_s, "reference": reference_of(target)}
            for target, _ in planned.values()
        ],
        "groups": [group.as_dict() for group in groups if group.begun or ended != INTERRUPTED],
    }


def _planned(
    requests: Sequence[tuple[Request, Options]], shared: Options, folder: Path, announce: Progress
) -> dict[str, tuple[Target, Axes]]:
    """Open all targets, exporting checkpoints into a folder. Returns each target by its name, with its settings."""
    opened = [
        (open_target(request, folder, lambda text: announce(0.0, text)), own.over(shared)) for request, own in requests
    ]
    _check_names([target.model.name for target, _ in opened])
    planned = {target.model.name: (target, axes_of(target, options)) for target, options in opened}
    for target, axes in planned.values():
        check_engines(target, axes)
    return planned


def _groups(
    planned: Mapping[str, tuple[Target, Axes]], scratch: Path, time_limit_s: float, announce: Progress
) -> list[Group]:
    """Run the reference of every target, and return the groups of all targets."""
    groups = []
    for name, (target, axes) in planned.items():
        announce(0.0, f"running {name} in {reference_of(target)} for reference")
        groups += make_groups(target, axes, scratch / name, time_limit_s)
    return groups


def axes_of(target: Target, options: Options) -> Axes:
    """Return the settings of one target: those of the options, or else its defaults.

    By default ONNX Runtime runs the exported file, and so does OpenVINO if it is installed. If the checkpoint is known, its
    framework runs it as its users would.
    """
    chosen = _default_engines(target) if options.engines is None else options.engines
    cpus = usable_cpus()
    return Axes(
        engines=tuple(chosen),
        providers=_given(options.providers, ("cpu",)),
        batches=_given(options.batch_sizes, (1,) if target.writes else (1, 8)),
        sequences=_given(options.sequence_lengths, (16,) if target.writes else (128,)),
        threads=tuple(dict.fromkeys(_threads(each, cpus) for each in _given(options.threads, (ALL,)))),
        boundaries=_given(options.boundaries, ("host",)),  # type: ignore[arg-type]  # checked by Axes
        streams=_given(options.streams, (1,)),
        precisions=_given(options.precisions, ("fp32",)),
        tokens=_given(options.tokens, (1, 32)),
    )


def _given(values: tuple[_Value, ...] | None, default: tuple[_Value, ...]) -> tuple[_Value, ...]:
    """Return values, or the default for None; an empty list is a mistake, which `Axes` reports."""
    return default if values is None else values


def _default_engines(target: Target) -> list[str]:
    known = engines(writes=target.writes)
    frameworks = _COMPILED_TEXT if target.writes else _COMPILED
    suitable = ["ort", "openvino", *([frameworks[target.framework]] if target.framework is not None else [])]
    return [each for each in suitable if each in known and not missing(known[each])]


def _threads(asked: int | str, cpus: int) -> int:
    if asked == ALL:
        return cpus
    written = str(asked).strip()
    if not re.fullmatch(r"[0-9]{1,9}", written) or not 1 <= int(written) <= MOST_PARALLEL:
        raise InputsError(
            f"{shown(asked)} is not a number of threads. Expected a whole number from 1 to {MOST_PARALLEL}, or {ALL!r} "
            "(--threads, threads=...)."
        )
    return int(written)


def _requests(targets: Any) -> list[tuple[Request, Options]]:
    if isinstance(targets, str | bytes | os.PathLike | Request) or not isinstance(targets, Iterable):
        raise not_valid("targets", targets, "a list of targets")
    found = [_request(each) for each in targets]
    if not found:
        raise InputsError("found nothing to measure. Name an exported directory, an ONNX file or a checkpoint.")
    return found


def _request(target: Any) -> tuple[Request, Options]:
    if isinstance(target, tuple):
        if len(target) == 2 and isinstance(target[0], Request) and isinstance(target[1], Options):
            return target
        raise not_valid("targets", target, "pairs of a Request and its Options")
    return (target if isinstance(target, Request) else Request(path_text("targets", target))), Options()


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputsError(
            f"several targets have the name {', '.join(twice)}. Name each of them differently (NAME=TARGET)."
        )


def _descriptions(planned: dict[str, tuple[Target, Axes]]) -> dict[str, str]:
    return {
        name: engine(name, writes=target.writes).description
        for target, axes in planned.values()
        for name in axes.engines
    }
