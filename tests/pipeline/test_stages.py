"""Stages are announced as they begin, timed, and added up when they are passed again."""

from __future__ import annotations

import resource

import pytest

from tfexport.pipeline.stages import Stages
from tfexport.processes.memory import peak_rss_mib


def test_stages_in_order() -> None:
    announced: list[str] = []
    stages = Stages(announced.append)
    with stages.stage("convert"):
        assert announced == ["convert"]
    first = stages.seconds["convert"]
    with stages.stage("write"):
        pass
    with stages.stage("convert"):
        pass
    assert announced == ["convert", "write", "convert"]
    assert list(stages.seconds) == list(stages.peak_rss_mib) == ["convert", "write"]
    assert stages.seconds["convert"] > first > 0


def test_a_stage_that_fails_is_timed() -> None:
    stages = Stages()
    with pytest.raises(ZeroDivisionError), stages.stage("load"):
        _ = 1 / 0
    assert stages.seconds["load"] > 0
    assert stages.peak_rss_mib["load"] > 0


def test_peak_memory_is_in_mebibytes_and_never_falls() -> None:
    before = peak_rss_mib()
    block = bytearray(64 * 1024**2)
    after = peak_rss_mib()
    assert after >= before
    assert after * 1024 <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after > len(block) / 1024**2
