"""The time and the memory that each process of a comparison may take, so that a file of others cannot hold it up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tfexport.files.places import held_bytes
from tfexport.parity.run_result import RunResult
from tfexport.processes.isolation import LONGEST_S, Caller, check_seconds

_LEAST_S = 60.0
_TIMES_SOURCE = 10
"""How many times as long as its source a file may take: it is opened at each level of optimisation, and runs the same cases."""
_BYTES_PER_S = 10e6
"""Bytes that are read, checked and optimised in a second at least, on a slow disk."""
_LEAST_MIB = 1024.0
_TIMES_GROWTH = 3
_TIMES_BYTES = 4


@dataclass(frozen=True)
class ProcessLimits:
    """Limits of the processes of a comparison.

    Attributes:
        seconds: Seconds that the user allows each process; None for limits that suit the checkpoint and the files.
    """

    seconds: float | None = None

    @classmethod
    def of(cls, time_limit_s: Any) -> ProcessLimits:
        """Return the limits of an option.

        Raises:
            InputsError: It is not a number of seconds.
        """
        return cls(None if time_limit_s is None else check_seconds(time_limit_s))

    def on_frameworks(self, call: Caller) -> Caller:
        """Return a caller for work in a framework: loading, running, exporting."""
        return partial(call, timeout_s=LONGEST_S if self.seconds is None else self.seconds)

    def on_files(self, call: Caller, files: Iterable[Path], source: RunResult, *, on_cpu: bool) -> Caller:
        """Return a caller for work in ONNX Runtime.

        Without a limit of the user, files may take ten times as long as their source took on the same cases, and a second for
        each 10 MB; on the CPU, they may take three times the memory by which the process of the source grew, and four times
        their size.

        Args:
            call: `call_isolated` or `call_in_process`.
            files: Files that are run, with their data.
            source: Result of their source.
            on_cpu: Whether they run on the CPU. Drivers of other devices reserve memory that they never use.
        """
        size = sum(map(held_bytes, files))
        seconds = max(_LEAST_S, _TIMES_SOURCE * source.seconds + size / _BYTES_PER_S)
        mib = _LEAST_MIB + _TIMES_GROWTH * source.grown_mib + _TIMES_BYTES * size / 2**20
        return partial(
            call,
            timeout_s=seconds if self.seconds is None else self.seconds,
            memory_mib=mib if on_cpu else None,
        )
