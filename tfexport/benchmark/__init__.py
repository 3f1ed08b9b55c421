"""Reliable latency: one process per cell, rounds in random order, intervals, and no number for a wrong output.

Importing this package imports nothing that an engine imports, because that import is timed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfexport.processes.lazy_imports import lazily

if TYPE_CHECKING:
    from tfexport.benchmark.api import benchmark as benchmark
    from tfexport.benchmark.engines import Engine as Engine
    from tfexport.benchmark.results import read as read
    from tfexport.benchmark.results import write as write
    from tfexport.benchmark.suite import Options as Options
    from tfexport.benchmark.suite import Suite as Suite
    from tfexport.benchmark.suite import read_suite as read_suite
    from tfexport.benchmark.targets import Request as Request

_HOMES = {
    "benchmark": "api",
    "Request": "targets",
    "Options": "suite",
    "Suite": "suite",
    "read_suite": "suite",
    "Engine": "engines",
    "read": "results",
    "write": "results",
}

__all__ = list(_HOMES)

__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
