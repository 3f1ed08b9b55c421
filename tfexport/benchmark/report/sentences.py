"""What the reports say in words: which engine is how many times as fast, on what, and how that was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tfexport.benchmark.conditions import hardware, software, variables
from tfexport.benchmark.report.table import Against, Headline, Table
from tfexport.benchmark.sampling import PRECISION
from tfexport.benchmark.statistics import LEVEL, MARGIN
from tfexport.reporting.formatting import bracketed, percent, plural, significant, with_interval

_BOUNDARIES = {
    "host": "a call is timed from NumPy arrays to NumPy arrays, copies included (host)",
    "device": "a call is timed until its outputs are done, with inputs and outputs where the engine computes (device)",
}
_TEXT = "text is written greedily, and the time of 1 token is the time to the first one"


def outcome(against: Against) -> str:
    """What a comparison found of the first engine: ``1.93 times as fast [1.88, 1.97]``."""
    if against.verdict not in ("faster", "slower"):
        told = "unknown, of too few rounds" if against.verdict == "unknown" else against.verdict
        return f"{told}: {with_interval(against.times_as_fast, against.interval)}"
    times = f"{significant(against.times_as_fast)} times as fast{bracketed(against.times_as_fast, against.interval)}"
    return f"slower: {times}" if against.verdict == "slower" else times


def headline(found: Headline, named: Callable[[str], str] = str) -> str:
    """One engine beside another over all settings, in a sentence.

    Args:
        found: what was found.
        named: how an engine's name is written.
    """
    first, other = named(found.first), named(found.other)
    if found.problem is not None:
        return f"{first} is not compared with {other}: {found.problem}"
    (against, *more) = found.against
    slower = "slower, " if found.verdict == "slower" else ""
    times = f"{first} is {slower}{significant(found.times_as_fast)} times as fast as {other}"
    if more:
        reached = ", ".join(f"{verdict} in {count}" for verdict, count in found.verdicts.items())
        return f"{times} (geometric mean of {len(found.against)} settings: {reached})"
    if against.verdict in ("faster", "slower"):
        return times + bracketed(against.times_as_fast, against.interval)
    return f"{first} beside {other}: {outcome(against)}"


def machine(document: Mapping[str, Any]) -> str:
    """What it ran on, in a line."""
    told = hardware(document)
    cpus = told.pop("usable processors", None)
    parts = [told.pop("processor"), *([f"{plural(int(cpus), 'processor')} usable"] if cpus else [])]
    parts += [f"{name} {value}" for name, value in told.items()]
    parts.append(", ".join(f"{name} {version}" for name, version in software(document).items()))
    parts += [f"{name}={value}" for name, value in variables(document).items()]
    return "; ".join(part for part in parts if part)


def method(document: Mapping[str, Any], tables: tuple[Table, ...]) -> str:
    """How it was measured, and what the numbers hold."""
    settings = [group.setting for table in tables for group in table.groups]
    boundaries = [text for name, text in _BOUNDARIES.items() if any(setting.boundary == name for setting in settings)]
    timed = "; ".join([*boundaries, *([_TEXT] if any(setting.tokens for setting in settings) else [])])
    references = ", ".join(dict.fromkeys(str(target["reference"]) for target in document["targets"]))
    limits = document["settings"]
    return (
        f"Each engine ran in processes of its own, up to {limits['launches']} one after the other, and those of a setting called "
        f"in turn for {limits['round_s']:g} s a round, in an order drawn anew; one whose outputs disagree with the "
        f"reference's ({references}) has no number. {timed[:1].upper()}{timed[1:]}; intervals are of {percent(LEVEL)}, from a "
        f"bootstrap over launches and then rounds, and a ratio is no difference where its interval holds 1 or it is nearer to 1 "
        f"than {percent(MARGIN)}."
    )


def ended(document: Mapping[str, Any]) -> str | None:
    """A warning where something else came first."""
    if document["ended"] == "precise":
        return None
    if document["ended"] == "interrupted":
        return "Interrupted: what had been measured until then."
    limit_s = document["settings"]["time_limit_s"]
    return f"The time limit of {limit_s:g} s came before every median was known to {percent(PRECISION)}."


def about(target: Mapping[str, Any]) -> str:
    """What a target is: its files, and what is in them."""
    parts = []
    if target.get("exported_from"):
        took = "" if target.get("export_s") is None else f" in {significant(target['export_s'])} s"
        parts.append(f"exported from {target['exported_from']}{took}")
    parts += [f"{name} {significant(file['bytes'] / 1e6)} MB" for name, file in target["files"].items()]
    for stem, graph in target["graphs"].items():
        opset = graph["opset"].get("ai.onnx")
        parts.append(f"{stem}: {graph['nodes']} nodes, {graph['fused']} of them not ONNX's own, opset {opset}")
    return "; ".join([*parts, f"outputs compared with {target['reference']}"])
