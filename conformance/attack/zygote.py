"""A process that has the frameworks imported and forks one child per command: a command line without ten seconds of imports.

It reads one JSON line per request from a socket, whose descriptor is its first argument, and answers with one JSON line. Further
arguments are the modules that it imports, in place of all.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import multiprocessing
import os
import resource
import runpy
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from conformance.attack.commands import Ended

_PRELOADED = (
    "h5py",
    "jinja2",
    "jsonschema",
    "keras",
    "keras_hub",
    "matplotlib.figure",
    "onnxruntime",
    "onnxscript",
    "psutil",
    "tensorflow",
    "tf2onnx",
    "tf_keras",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.modeling_tf_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.modeling_tf_bert",
    "transformers.models.bert.tokenization_bert_fast",
    "tfexport.benchmark",
    "tfexport.cli",
    "tfexport.parity.api",
    "tfexport.parity.exported_directory",
    "tfexport.pipeline.export",
    "tfexport.validation",
    "tomllib",
)
_INTERVAL_S = 0.02
_LOOK_S = 0.1
"""Seconds between two looks at the memory, which take some milliseconds each."""
_SUBREAPER = 36
"""``PR_SET_CHILD_SUBREAPER``: processes whose parent died become children of this one, and are seen."""


def main() -> None:
    """Import, then serve requests until the socket is closed."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    connection = socket.socket(fileno=int(sys.argv[1]))
    _import(sys.argv[2:])
    with connection, connection.makefile("rw") as channel:
        _answer(channel, {"ready": True})
        for line in channel:
            _answer(channel, asdict(_run(json.loads(line), connection.fileno())))


def _import(only: Sequence[str]) -> None:
    for module in only or _PRELOADED:
        importlib.import_module(module)
    if not only:
        from tfexport.backends import get_backend

        for framework in ("tf", "pt"):
            get_backend(framework)
    forked = multiprocessing.get_context("fork")
    for name, loaded in list(sys.modules.items()):  # children of the package are forks as well: they need no imports
        if name.startswith("tfexport.") and hasattr(loaded, "PROCESSES"):
            vars(loaded)["PROCESSES"] = forked
    gc.freeze()  # a collection in a child would copy every page


def _answer(channel: Any, answer: Mapping[str, Any]) -> None:
    channel.write(json.dumps(answer) + "\n")
    channel.flush()


def _run(request: Mapping[str, Any], connection: int) -> Ended:
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(connection)
        _become(request)
    stopped, status, peak, looked = "", None, 0.0, start
    while status is None:
        done, ended = os.waitpid(child, os.WNOHANG)
        if done:
            status = ended
            break
        if time.monotonic() - looked > _LOOK_S:
            peak = max(peak, sum(_private_mib(each) for each in _descendants()))
            looked = time.monotonic()
        if time.monotonic() - start > request["seconds"]:
            stopped = "time"
        elif peak > request["memory_mib"]:
            stopped = "memory"
        if stopped:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        time.sleep(_INTERVAL_S)
    seconds = time.monotonic() - start
    left = _end_rest()
    code = os.waitstatus_to_exitcode(status)
    return Ended(
        code=None if code < 0 else code,
        signal=-code if code < 0 and not stopped else 0,
        stopped=stopped,
        seconds=round(seconds, 2),
        memory_mib=round(peak, 1),
        processes=0 if stopped else left,
    )


def _end_rest() -> int:
    """End what a command left behind, after a moment in which it may end by itself, and return the number of processes."""
    for _ in range(25):
        if not any(_is_running(each) for each in _descendants()):
            break
        time.sleep(_INTERVAL_S)
    left = [each for each in _descendants() if _is_running(each)]
    for process in left:
        os.kill(process, signal.SIGKILL)
    while True:
        try:
            if os.waitpid(-1, 0 if left else os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
    return len(left)


def _descendants() -> list[int]:
    """Return the processes below this one."""
    children: dict[int, list[int]] = {}
    for process, fields in _processes():
        children.setdefault(int(fields[1]), []).append(process)
    found, waiting = [], [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            yield int(entry.name), fields


def _private_mib(process: int) -> float:
    """Return the memory of a process that it does not share with the zygote, in MiB."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _become(request: Mapping[str, Any]) -> NoReturn:
    """Run a request in this child, and end it."""
    code = 1
    try:
        _prepare(request)
        code = _call(request)
    except BaseException:  # the end of a process of the harness
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            code = 120  # as the interpreter does
        atexit._run_exitfuncs()
        os._exit(code)


def _prepare(request: Mapping[str, Any]) -> None:
    os.setsid()
    # Only the streams stay: a child would otherwise hold what the zygote holds.
    for number, name in enumerate((request["stdin"], request["stdout"], request["stderr"])):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        descriptor = os.open(name, flags, 0o666)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace")
    for name in request["unset"]:
        os.environ.pop(name, None)
    os.environ.update(request["environment"])
    sys.path[:0] = request["environment"].get("PYTHONPATH", "").split(os.pathsep)[:-1]
    tempfile.tempdir = None
    os.chdir(request["cwd"])
    for limit, most in (
        (resource.RLIMIT_FSIZE, request["largest_file"]),
        (resource.RLIMIT_NOFILE, request["most_files"]),
    ):
        if most is not None:
            resource.setrlimit(limit, (most, most))
    if request["user"] is not None:
        os.setgroups([])
        os.setgid(request["user"])
        os.setuid(request["user"])
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _call(request: Mapping[str, Any]) -> int:
    sys.argv = ["tfexport", *request["arguments"]]
    try:
        if request["script"] is not None:
            runpy.run_module(f"conformance.attack.scripts.{request['script']}", run_name="__main__", alter_sys=False)
        else:
            from tfexport.cli import app

            app(request["arguments"], prog_name="tfexport")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    return 0


if __name__ == "__main__":
    main()
