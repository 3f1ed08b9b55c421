"""A process that exports again and again keeps its descriptors and threads; `conformance.growth` measures its memory."""

from __future__ import annotations

import json

import pytest

from conformance.growth import KINDS, RESULTS, WARM_UP, Sample, growth
from tests import support

PROGRAM = """
import json, sys
from dataclasses import asdict
from conformance.growth import exported
print(json.dumps([asdict(each) for each in exported(sys.argv[1], 4)]))
"""


@pytest.mark.parametrize("kind", ["pt", "tf"])
def test_descriptors_and_threads_do_not_grow(kind: str) -> None:
    ran = support.python(PROGRAM, kind)
    assert ran.code == 0, ran.err
    _, second, *later = [Sample(**each) for each in json.loads(ran.out.splitlines()[-1])]
    assert [each.descriptors for each in later] == [second.descriptors] * len(later)
    assert all(each.threads <= second.threads for each in later)


def test_the_slope_is_that_of_the_later_exports() -> None:
    samples = [Sample(1000 - number, 9, 9) for number in range(WARM_UP)]
    samples += [Sample(2000 + 30 * number, 7 + number, 5) for number in range(10)]
    found = growth(samples)
    assert found.kib_per_export == pytest.approx(30)
    assert (found.exports, found.descriptors, found.threads) == (10, 9, 0)


def test_every_kind_is_recorded_and_flat() -> None:
    results = json.loads(RESULTS.read_text())
    assert sorted(results) == sorted(KINDS)
    for kind, found in results.items():
        assert found["kib_per_export"] < 256, kind
        assert (found["descriptors"], found["threads"]) <= (0, 1), kind
