"""Sentences of the reports: how many times as fast an engine is, on which machine, and how it was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tfexport.benchmark.conditions import hardware, software, variables
from tfexport.benchmark.report.table import Headline, Speedup, Table
from tfexport.benchmark.sampling import PRECISION
from tfexport.benchmark.statistics import LEVEL, MARGIN
from tfexport.reporting.formatting import bracketed, percent, plural, significant, with_interval
from tfexport.text import size_text

_BOUNDARIES = {
    "host": "a call is timed from NumPy arrays to NumPy arrays, copies included (host)",
    "device": "a call is timed until its outputs are computed, with inputs and outputs on the engine's device (device)",
}
_TEXT = "text is written greedily, and the time of 1 token is the time to the first token"


def outcome(speedup: Speedup) -> str:
    """Return the result of a comparison for the first engine: ``1.93 times as fast [1.88, 1.97]``."""
    if speedup.verdict not in ("faster", "slower"):
        verdict = "unknown (too few rounds)" if speedup.verdict == "unknown" else speedup.verdict
        return f"{verdict}: {with_interval(speedup.times_as_fast, speedup.interval)}"
    times = f"{significant(speedup.times_as_fast)} times as fast{bracketed(speedup.times_as_fast, speedup.interval)}"
    return f"slower: {times}" if speedup.verdict == "slower" else times


def headline(found: Headline, named: Callable[[str], str] = str) -> str:
    """Return a sentence that compares two engines over all settings.

    Args:
        found: Headline of the two engines.
        named: Function that formats the name of an engine.
    """
    first, other = named(found.first), named(found.other)
    if found.problem is not None:
        return f"{first} is not compared with {other}: {found.problem}"
    (speedup, *more) = found.speedups
    slower = "slower, " if found.verdict == "slower" else ""
    times = f"{first} is {slower}{significant(found.times_as_fast)} times as fast as {other}"
    if more:
        reached = ", ".join(f"{verdict} in {count}" for verdict, count in found.verdicts.items())
        return f"{times} (geometric mean of {len(found.speedups)} settings: {reached})"
    if speedup.verdict in ("faster", "slower"):
        return times + bracketed(speedup.times_as_fast, speedup.interval)
    return f"{first} beside {other}: {outcome(speedup)}"


def machine(document: Mapping[str, Any]) -> str:
    """Return the machine and its software in one line."""
    facts = hardware(document)
    cpus = facts.pop("usable processors", None)
    parts = [facts.pop("processor"), *([f"{plural(int(cpus), 'processor')} usable"] if cpus else [])]
    parts += [f"{name} {value}" for name, value in facts.items()]
    parts.append(", ".join(f"{name} {version}" for name, version in software(document).items()))
    parts += [f"{name}={value}" for name, value in variables(document).items()]
    return "; ".join(part for part in parts if part)


def method(document: Mapping[str, Any], tables: tuple[Table, ...]) -> str:
    """Return how it was measured, and what the numbers mean."""
    settings = [group.setting for table in tables for group in table.groups]
    boundaries = [text for name, text in _BOUNDARIES.items() if any(setting.boundary == name for setting in settings)]
    timed = "; ".join([*boundaries, *([_TEXT] if any(setting.tokens for setting in settings) else [])])
    references = ", ".join(dict.fromkeys(str(target["reference"]) for target in document["targets"]))
    limits = document["settings"]
    return (
        f"Each engine ran in processes of its own, up to {limits['launches']} one after the other. The engines of a setting took "
        f"turns of {limits['round_s']:g} s, in a random order in each round. An engine whose outputs disagree with the "
        f"reference ({references}) has no number. {timed[:1].upper()}{timed[1:]}. Intervals have a confidence of "
        f"{percent(LEVEL)} and come from a bootstrap over launches, then rounds. A ratio counts as no difference when its "
        f"interval contains 1, or when it differs from 1 by less than {percent(MARGIN)}."
    )


def ended(document: Mapping[str, Any]) -> str | None:
    """Return a warning when the measurement ended before all medians were precise; None otherwise."""
    if document["ended"] == "precise":
        return None
    if document["ended"] == "interrupted":
        return "Interrupted: the report holds only what was measured until then."
    limit_s = document["settings"]["time_limit_s"]
    return f"The time limit of {limit_s:g} s was reached before every median was known to within {percent(PRECISION)}."


def about(target: Mapping[str, Any]) -> str:
    """Return a sentence about a target: its files, and the graphs in them."""
    parts = []
    if target.get("exported_from"):
        duration = "" if target.get("export_s") is None else f" in {significant(target['export_s'])} s"
        parts.append(f"exported from {target['exported_from']}{duration}")
    parts += [f"{name} {size_text(file['bytes'])}" for name, file in target["files"].items()]
    for stem, graph in target["graphs"].items():
        opset = graph["opset"].get("ai.onnx")
        parts.append(
            f"{stem}: {graph['nodes']} nodes, {graph['fused']} of them outside of ONNX's own domain, opset {opset}"
        )
    return "; ".join([*parts, f"outputs compared with {target['reference']}"])
