"""A report as an HTML page: one file that loads nothing else, for phones and wide screens, light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfexport.benchmark.report import plots, sentences
from tfexport.benchmark.report.table import Group, Speedup, Table, tables
from tfexport.reporting.formatting import with_interval
from tfexport.reporting.pages import Plot, environment

_TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class _Section:
    """The section of one target.

    Attributes:
        table: Rows of the target.
        about: Sentence about its files.
        plots: Plots of the medians, and of the throughput by batch.
        distributions: Plots of every call, one per setting.
    """

    table: Table
    about: str
    plots: tuple[Plot, ...]
    distributions: tuple[Plot, ...]


def html(document: Mapping[str, Any]) -> str:
    """Return a results document as an HTML page: speedups, tables, plots, the method and the environment."""
    assert __package__
    page = environment(__package__)
    page.globals |= {
        "headline": sentences.headline,
        "outcome": sentences.outcome,
        "beside": _beside,
        "pays_from": _pays_from,
    }
    made = tables(document)
    numbers = {
        name: number for number, name in enumerate(dict.fromkeys(row.engine for each in made for row in each.rows))
    }
    return page.get_template(_TEMPLATE).render(
        document=document,
        machine=sentences.machine(document),
        ended=sentences.ended(document),
        method=sentences.method(document, made),
        sections=[_section(table, document, numbers) for table in made],
        environment=list(_flat(_environment(document["environment"]), "")),
    )


def _section(table: Table, document: Mapping[str, Any], numbers: Mapping[str, int]) -> _Section:
    about = {target["name"]: sentences.about(target) for target in document["targets"]}
    distributions = (plots.distribution(group, numbers) for group in table.groups)
    return _Section(
        table,
        about[table.target],
        (plots.medians(table, numbers), *plots.throughputs(table, numbers)),
        tuple(plot for plot in distributions if plot is not None),
    )


def _beside(group: Group, other: str) -> tuple[str, str]:
    """Return the verdict on a group's first engine beside another one, and the text of the cell."""
    row = next((row for row in group.rows if row.engine == other), None)
    if row is not None and row.speedup is not None:
        times = with_interval(row.speedup.times_as_fast, row.speedup.interval)
        return row.speedup.verdict, f"{row.speedup.verdict}: {times}"
    if row is None:
        return "", "not measured"
    first = group.rows[0]
    return "", row.status if row.times is None else f"{first.engine}: {first.status}"


def _pays_from(speedup: Speedup) -> str:
    """Return the call from which on the first engine has paid for its export and its loading."""
    calls = speedup.break_even_calls
    return "never" if calls is None else "the first call" if calls <= 1 else f"call {calls:,}"


def _environment(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the environment, with the load average before and after the measurement."""
    before = environment["before"]
    return {**before, "load_average": {"before": before["load_average"], "after": environment["load_average_after"]}}


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield nested values as pairs of a name and a text."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{name} {key}".strip())
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for number, each in enumerate(value, 1):
            yield from _flat(each, f"{name} {number}")
    elif value is not None and value != []:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
