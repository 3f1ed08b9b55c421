"""Each row runs in its own process: a failure is the result of its row, and does not affect the next row."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from conformance.zoo import isolation
from conformance.zoo.isolation import Host, Limits, run_isolated
from conformance.zoo.rows import Result, Row, check, rows

BERT = next(row for row in rows() if row.name == "bert/default/pt")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


def test_a_row_gives_what_it_gives_in_this_process(host: Host) -> None:
    there, here = host.run(BERT, Limits()), check(BERT)
    assert there.passed and there.cases == 5 and there.padded_cases == 2
    assert there.opset == 18 and there.max_abs_error is not None and there.max_abs_error < 1e-4
    assert replace(there, seconds=0, max_abs_error=0, max_rel_error=0) == replace(
        here, seconds=0, max_abs_error=0, max_rel_error=0
    )


@pytest.mark.parametrize(
    ("row", "limits", "problem"),
    [
        (BERT, Limits(seconds=0.01), "stopped after 0.01 s"),
        (BERT, Limits(memory_mib=1), "memory|more than 1 MiB"),
        (replace(BERT, feature="dream"), Limits(), "UnsupportedFeatureError: 'dream'"),
        (replace(BERT, model_class="BertForDreaming"), Limits(), "BertForDreaming"),
    ],
)
def test_failures_are_results(host: Host, row: Row, limits: Limits, problem: str) -> None:
    result = host.run(row, limits)
    assert not result.passed
    assert result.problem is not None
    assert any(part in result.problem for part in problem.split("|")), result.problem
    assert host.run(BERT, Limits()).passed


def test_a_crash_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(row: Row) -> Result:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    monkeypatch.setattr(isolation, "check", crash)
    assert isolation._fork(BERT, Limits()) == Result(passed=False, problem="the process was killed by SIGKILL")
    monkeypatch.setattr(isolation, "check", lambda row: os._exit(3))
    assert isolation._fork(BERT, Limits()) == Result(passed=False, problem="the process ended with exit code 3")


def test_a_thread_keeps_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []

    class Fake:
        def __init__(self) -> None:
            started.append(self)

        def run(self, row: Row, limits: Limits) -> Result:
            return Result(passed=True)

    monkeypatch.setattr(isolation, "Host", Fake)
    monkeypatch.setattr(isolation._hosts, "host", None, raising=False)
    assert run_isolated(BERT, Limits()) == (BERT, Result(passed=True))
    assert run_isolated(BERT, Limits()) == (BERT, Result(passed=True))
    assert len(started) == 1
    monkeypatch.delattr(isolation._hosts, "host")


def test_a_host_that_dies_is_an_error() -> None:
    own = Host()
    own._process.kill()
    own._process.wait()
    with pytest.raises(RuntimeError, match="ended with code -9"):
        own.run(BERT, Limits())
    own.close()
