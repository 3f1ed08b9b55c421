"""Runs each row in its own process, with a limit of time and of memory.

TensorFlow and PyTorch take ten seconds to import and a row takes two, so a *host* process imports them once and forks
a child for every row. A crash, a leak or a patch left behind in one row cannot affect another row. The host itself does
not run models, so that it does not have threads that a fork would lose.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import Any

from conformance.zoo.rows import Result, Row, check
from tfexport.benchmark.memory import virtual_mib

_MIB = 1024 * 1024
_READ = 65536
_LONGEST_TAIL = 2000
_PRELOADED = ("tensorflow", "tf_keras", "tf2onnx", "torch", "onnxruntime", "transformers.modeling_tf_utils")
_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Limits:
    """The limits of a row.

    Attributes:
        seconds: Wall time, in seconds.
        memory_mib: Address space above that of the frameworks themselves, in MiB.
    """

    seconds: float = 600.0
    memory_mib: int = 8192


class Host:
    """A process that forks one child per row. Only one thread at a time may use it; `close` ends it."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **dict.fromkeys(_THREADS, "1"),  # one core per row: rows run side by side
        }
        self._said = TemporaryFile("w+")  # noqa: SIM115  its output, for the message if it dies
        self._process = subprocess.Popen(
            [sys.executable, "-m", "conformance.zoo.isolation"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=_ROOT,
            env=environment,
        )

    def run(self, row: Row, limits: Limits) -> Result:
        """Return the result of a row; an error in the row is part of the result.

        Raises:
            RuntimeError: the host itself died.
        """
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"row": vars(row), "limits": vars(limits)}) + "\n")
            process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            code = process.wait()
            self._said.seek(0)
            said = self._said.read()[-_LONGEST_TAIL:]
            raise RuntimeError(f"the process that runs the zoo's rows ended with code {code}: {said}")
        return Result(**json.loads(answer))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._said.close()


_hosts = threading.local()


def run_isolated(row: Row, limits: Limits) -> tuple[Row, Result]:
    """Return a row and its result from the host of this thread, which is started on first use."""
    host = getattr(_hosts, "host", None) or Host()
    _hosts.host = host
    return row, host.run(row, limits)


def _serve() -> None:
    for module in _PRELOADED:
        importlib.import_module(module)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the frameworks also print to it
    for line in sys.stdin:
        asked = json.loads(line)
        result = _fork(Row(**asked["row"]), Limits(**asked["limits"]))
        answers.write(json.dumps(result.as_dict()) + "\n")
        answers.flush()


def _fork(row: Row, limits: Limits) -> Result:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.write(writing, json.dumps(_result(row, limits).as_dict()).encode())
        os._exit(0)
    os.close(writing)
    answer = _read(reading, limits.seconds)
    if answer is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if answer is None:
        return Result(passed=False, problem=f"stopped after {limits.seconds:g} s")
    if not answer:
        return Result(passed=False, problem=_death(status))
    return Result(**json.loads(answer))


def _result(row: Row, limits: Limits) -> Result:
    allowed = int((virtual_mib() + limits.memory_mib) * _MIB)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    try:
        return check(row)
    except MemoryError:
        return Result(passed=False, problem=f"needs more than {limits.memory_mib} MiB")
    except Exception as error:  # noqa: BLE001  the process boundary
        return Result(passed=False, problem=" ".join(f"{type(error).__name__}: {error}".split()))


def _read(pipe: int, seconds: float) -> bytes | None:
    """Return the bytes that a child wrote until it closed the pipe; None when it took too long."""
    deadline = monotonic() + seconds
    parts: list[bytes] = []
    try:
        while True:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - monotonic()))
            if not ready:
                return None
            part = os.read(pipe, _READ)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        os.close(pipe)


def _death(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with suppress(ValueError):
            return f"the process was killed by {signal.Signals(number).name}"
        return f"the process was killed by signal {number}"
    return f"the process ended with exit code {os.WEXITSTATUS(status)}"


def _main() -> Any:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner handles Ctrl-C; the end of the input ends this process
    _serve()


if __name__ == "__main__":
    _main()
