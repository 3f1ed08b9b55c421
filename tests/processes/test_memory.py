"""The memory of a process is its own."""

from __future__ import annotations

import pytest

from tests import support
from tfexport.processes.memory import peak_rss_mib

LARGE = """
import subprocess, sys
held = b"x" * (600 * 2**20)
child = "from tfexport.processes.memory import peak_rss_mib; print(peak_rss_mib())"
print(subprocess.run([sys.executable, "-c", child], check=True, capture_output=True, text=True).stdout)
"""


def test_a_peak_is_not_that_of_the_parent() -> None:
    ran = support.python(LARGE)
    assert 5 < float(ran.out) < 200


def test_a_peak_grows() -> None:
    before = peak_rss_mib()
    held = b"x" * int((before + 100) * 2**20)
    assert peak_rss_mib() == pytest.approx(before + len(held) / 2**20, abs=before)
    assert peak_rss_mib() >= len(held) / 2**20
