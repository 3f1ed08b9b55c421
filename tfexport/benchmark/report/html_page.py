"""A report as a page: one file, nothing fetched, for a phone and for a wide screen, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfexport.benchmark.report import plots, sentences
from tfexport.benchmark.report.table import Against, Group, Table, tables
from tfexport.reporting.formatting import with_interval
from tfexport.reporting.pages import Plot, environment

_TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class _Section:
    """What the page has of one target.

    Attributes:
        table: its rows.
        about: its files.
        plots: medians, and work a second by batch.
        distributions: every call, a plot for each setting.
    """

    table: Table
    about: str
    plots: tuple[Plot, ...]
    distributions: tuple[Plot, ...]


def html(document: Mapping[str, Any]) -> str:
    """A results document as a page: who is how many times as fast, tables, plots, and how and on what it was measured."""
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
    """The verdict on a group's first engine beside another one, and a text on it."""
    row = next((row for row in group.rows if row.engine == other), None)
    if row is not None and row.against is not None:
        told = with_interval(row.against.times_as_fast, row.against.interval)
        return row.against.verdict, f"{row.against.verdict}: {told}"
    if row is None:
        return "", "not measured"
    first = group.rows[0]
    return "", row.status if row.times is None else f"{first.engine}: {first.status}"


def _pays_from(against: Against) -> str:
    """The call from which on the first engine has paid for its export and its loading."""
    calls = against.break_even_calls
    return "never" if calls is None else "the first call" if calls <= 1 else f"call {calls:,}"


def _environment(told: Mapping[str, Any]) -> dict[str, Any]:
    """What it ran on; what was looked at again afterwards is beside what it was before."""
    before = told["before"]
    return {**before, "load_average": {"before": before["load_average"], "after": told["load_average_after"]}}


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """What is nested, as names and texts."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{name} {key}".strip())
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for number, each in enumerate(value, 1):
            yield from _flat(each, f"{name} {number}")
    elif value is not None and value != []:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
