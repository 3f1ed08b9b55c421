"""Rows of the zoo, per model type and framework: the first and the last declared feature, and those that generate text with
a cache. The first feature is a base model, the last one has a head.

`make zoo` runs all rows, each in its own process, and its committed result covers every row (test_zoo_report.py).
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from conformance.zoo.rows import Row, check, rows
from conformance.zoo.tiny import TINY
from tfexport.declarations.architectures import declarations
from tfexport.declarations.tasks import GENERATING, WITH_PAST

WRITING = tuple(f"{task}{WITH_PAST}" for task in GENERATING)


def _chosen() -> list[Row]:
    by_type: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows():
        by_type[row.model_type, row.framework].append(row)
    return [
        row
        for group in by_type.values()
        for row in dict.fromkeys((group[0], group[-1], *(row for row in group if row.feature in WRITING)))
    ]


def test_every_declared_type_has_a_tiny_configuration() -> None:
    assert sorted(declarations()) == sorted(TINY)


def test_every_type_and_framework_is_among_the_rows() -> None:
    assert {(row.model_type, row.framework) for row in _chosen()} == {(r.model_type, r.framework) for r in rows()}


@pytest.mark.parametrize("row", _chosen(), ids=lambda row: row.name)
def test_row(row: Row) -> None:
    result = check(row)
    assert result.passed, result.problem
