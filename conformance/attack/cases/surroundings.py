"""Surroundings of a command: streams, the temporary folder, environment variables, the working folder, the network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from conformance.attack.case import ROOT, SHARED_PYTHON, Area, Case
from conformance.attack.commands import NOBODY, Command, Limits, script, tfexport
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox, incomplete

AREA = Area("surroundings")
_NEEDS_ROOT = frozenset({ROOT})
_SOON = Limits(seconds=120)
_HOMELESS = {"HOME": "/nonexistent"}
_EXPORT = "$TFEXPORT export -m {model} {out}"
_SHUT = "for d in /tmp /var/tmp /dev/shm /run; do mount -t tmpfs -o ro tmpfs $d 2>/dev/null; done;"

_STREAMS: dict[str, tuple[str, bool]] = {
    "standard output is closed": (f"{_EXPORT} >&-", True),
    "standard error is closed": (f"{_EXPORT} 2>&-", True),
    "standard output and error are closed": (f"{_EXPORT} >&- 2>&-", True),
    "all streams are closed": (f"{_EXPORT} <&- >&- 2>&-", True),
    "standard input is closed": (f"{_EXPORT} <&-", True),
    "standard output is a full disk": (f"{_EXPORT} >/dev/full", False),
    "standard error is a full disk": (f"{_EXPORT} 2>/dev/full", False),
    "both are a full disk": (f"{_EXPORT} >/dev/full 2>&1", False),
    "nobody reads what is printed": (f"set -o pipefail; {_EXPORT} | true", False),
    "nobody reads the errors": (f"{_EXPORT} 2> >(true)", False),
    "nobody reads a list": (
        "set -o pipefail; $TFEXPORT features | head -1; $TFEXPORT features --json | head -c 10",
        False,
    ),
    "JSON to a closed stream": (f"{_EXPORT} --json >&-", True),
    "JSON to a full disk": (f"{_EXPORT} --json >/dev/full", False),
    "an error with closed streams": ("$TFEXPORT export -m /dev/null {out} >&- 2>&-", False),
    "an error with a full disk": ("$TFEXPORT export -m /dev/null {out} 2>/dev/full", False),
    "help to a closed stream": ("$TFEXPORT --help >&-", False),
    "--version to a full disk": ("$TFEXPORT --version > /dev/full", False),
}
_VARIABLES: dict[str, dict[str, str]] = {
    "KERAS_BACKEND is torch": {"KERAS_BACKEND": "torch"},
    "KERAS_BACKEND is jax, which is not installed": {"KERAS_BACKEND": "jax"},
    "KERAS_BACKEND does not exist": {"KERAS_BACKEND": "odd"},
    "KERAS_BACKEND is empty": {"KERAS_BACKEND": ""},
    "TF_USE_LEGACY_KERAS is 1": {"TF_USE_LEGACY_KERAS": "1"},
    "TF_CPP_MIN_LOG_LEVEL is 0": {"TF_CPP_MIN_LOG_LEVEL": "0"},
    "USE_TF is 0": {"USE_TF": "0"},
    "USE_TORCH is 0": {"USE_TORCH": "0"},
    "TERM is odd": {"TERM": "odd\x1b", "COLUMNS": "0", "LINES": "-1"},
    "COLUMNS is a text": {"COLUMNS": "odd"},
    "PYTHONWARNINGS is error": {"PYTHONWARNINGS": "error::UserWarning"},
    "PYTHONOPTIMIZE is 2": {"PYTHONOPTIMIZE": "2"},
    "OMP_NUM_THREADS is a text": {"OMP_NUM_THREADS": "odd"},
    "HF_HOME does not exist": {"HF_HOME": "/nonexistent/hf"},
    "HF_ENDPOINT is odd": {"HF_ENDPOINT": "odd://"},
    "TMPDIR does not exist": {"TMPDIR": "/nonexistent"},
    "CUDA_VISIBLE_DEVICES is a text": {"CUDA_VISIBLE_DEVICES": "odd"},
    "LC_ALL does not exist": {"LC_ALL": "odd"},
    "the locale is C, without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "PYTHONIOENCODING is ascii": {"PYTHONIOENCODING": "ascii"},
    "FORCE_COLOR is 1": {"FORCE_COLOR": "", "CLICOLOR_FORCE": "1"},
}
_LETTERS = "Модель 模型"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name, (shell, exports) in _STREAMS.items():
        yield AREA.case(
            name,
            _shell(shell),
            expect=Expectation.SUCCEEDS if exports else Expectation.ENDS,
            check=_exported if exports else _whole,
            quick=name == "all streams are closed",
        )
    for name, variables in _VARIABLES.items():
        for seed in ("dense-keras3.keras", "bert-tf") if "KERAS" in name else ("bert-pt",):
            yield AREA.case(
                f"{name}, {seed}",
                _shell(_EXPORT, seed, variables),
                expect=Expectation.SAFE,
                quick=name == "KERAS_BACKEND is jax, which is not installed" and seed == "bert-tf",
            )
    yield from _folders()
    for name, size in (("full", "4k"), ("read-only", "4k,ro")):
        yield AREA.case(
            f"the temporary folder is {name}",
            _shell(
                f"unshare -m bash -c 'mount -t tmpfs -o size={size} tmpfs {{tmp}}; "
                f"head -c 9999 /dev/zero > {{tmp}}/full 2>/dev/null; {_EXPORT}'"
            ),
            expect=Expectation.ENDS,
            check=_whole,
            requires=_NEEDS_ROOT,
        )
    yield AREA.case(
        "no temporary folder can be written to",
        _shell(f"unshare -m bash -c '{_SHUT} cd /; TMPDIR=/nonexistent {_EXPORT}'"),
        expect=Expectation.ENDS,
        check=_whole,
        requires=_NEEDS_ROOT,
    )
    for surrounding in ("a working folder that is gone", "little recursion"):
        yield AREA.case(surrounding, _in(surrounding), expect=Expectation.SAFE, quick="gone" in surrounding)
    yield from _network()


def _shell(text: str, seed: str = "bert-pt", variables: dict[str, str] | None = None) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        model = sandbox.copy(seed)
        places = {"model": model, "out": sandbox.out, "tmp": sandbox.tmp, "in": sandbox.input, "cwd": sandbox.cwd}
        made = text
        for name, place in places.items():
            made = made.replace(f"{{{name}}}", str(place))
        return Command(shell=made, environment=variables or {}, limits=_SOON)

    return prepare


def _exported(sandbox: Sandbox) -> list[str]:
    return incomplete(sandbox.out) or (
        ["nothing was exported"] if (sandbox.out / "model.onnx").read_bytes() == b"the earlier export" else []
    )


def _whole(sandbox: Sandbox) -> list[str]:
    return incomplete(sandbox.out)


def _in(surrounding: str) -> Callable[[Sandbox], Command]:
    return lambda sandbox: script(
        "run_command", surrounding, "export", "-m", sandbox.copy("bert-pt"), sandbox.out, limits=_SOON
    )


def _folders() -> Iterator[Case]:
    yield AREA.case(
        "Python files of the names of packages in the working folder",
        # Run as a script would be: `python -m` itself puts the working folder on the path.
        _shadowed(
            "cd {cwd} && $PYTHON -I -c 'import sys; sys.path.insert(0, \"{repository}\"); from tfexport.cli import app; app()' "
            "export -m {model} {out}".replace("{repository}", str(Path(__file__).resolve().parents[3])),
            "dense-keras3.keras",
        ),
        expect=Expectation.EXPORTED,
        has_target=False,
    )
    yield AREA.case("the letters of a folder in a locale without them", _letters, expect=Expectation.EXPORTED)
    yield AREA.case("no HOME variable", _without_home, expect=Expectation.EXPORTED)
    for name, seed in (("PyTorch", "bert-pt"), ("TensorFlow", "bert-tf"), ("Keras", "dense-keras3.keras")):
        yield AREA.case(
            f"another user whose home does not exist, {name}",
            _as_nobody(seed),
            expect=Expectation.EXPORTED,
            requires=_NEEDS_ROOT | ({SHARED_PYTHON} if name == "Keras" else set()),
            has_target=False,
            quick=name == "Keras",
        )


def _letters(sandbox: Sandbox) -> Command:
    model = sandbox.copy("bert-pt", _LETTERS)
    variables = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    return Command(shell=f"$TFEXPORT export -m '{model}' {sandbox.out}", environment=variables, limits=_SOON)


def _without_home(sandbox: Sandbox) -> Command:
    model = sandbox.copy("bert-pt")
    return Command(shell=f"$TFEXPORT export -m {model} {sandbox.out}", unset=("HOME",), limits=_SOON)


def _shadowed(text: str, seed: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        for name in ("onnx", "json", "keras", "torch", "numpy", "tfexport", "transformers", "sitecustomize"):
            (sandbox.cwd / f"{name}.py").write_text(f'open("{sandbox.cwd}/CANARY", "w")')
        return _shell(text, seed)(sandbox)

    return prepare


def _as_nobody(seed: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        sandbox.open_to_others()
        model = sandbox.copy(seed)
        for file in (file for file in model.rglob("*") if file.is_file()):
            file.chmod(0o644)  # safetensors writes files that only their owner may read
        return tfexport("export", "-m", model, sandbox.out, user=NOBODY, cwd=Path("/"), environment=_HOMELESS)

    return prepare


_OPENED: list[ThreadingHTTPServer | socket.socket] = []


def _close(sandbox: Sandbox) -> None:
    """Close what listens for a case."""
    while _OPENED:
        opened = _OPENED.pop()
        if isinstance(opened, ThreadingHTTPServer):
            opened.shutdown()
            opened.server_close()
        else:
            opened.close()


class _Hub(BaseHTTPRequestHandler):
    """A hub that has nothing, and counts requests."""

    asked = 0

    def do_GET(self) -> None:
        _Hub.asked += 1
        self.send_response(404)
        self.end_headers()

    do_HEAD = do_POST = do_GET  # noqa: N815  the names of the base class

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the name of the base class
        pass


def _network() -> Iterator[Case]:
    for seed in ("bert-pt", "bert-tf"):
        yield AREA.case(
            f"a local checkpoint asks the hub nothing, {seed}",
            _counted(seed),
            expect=Expectation.EXPORTED,
            check=lambda _: [f"{_Hub.asked} requests to the hub"] if _Hub.asked else [],
            clean=_close,
        )
    yield AREA.case("a hub id without a network", _offline, requires=_NEEDS_ROOT)
    yield AREA.case("a hub that never answers", _silent, clean=_close)


def _counted(seed: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _OPENED.append(server)
        _Hub.asked = 0
        return Command(
            shell=f"$TFEXPORT export -m {sandbox.copy(seed)} {sandbox.out}",
            environment={
                "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
                "HF_HOME": str(sandbox.folder / "hf"),
            },
            unset=("HF_HUB_OFFLINE",),
            limits=_SOON,
        )

    return prepare


def _offline(sandbox: Sandbox) -> Command:
    return Command(
        shell=f"unshare -n $TFEXPORT export -m someone/model {sandbox.out}",
        environment={"HF_HOME": str(sandbox.folder / "hf")},
        unset=("HF_HUB_OFFLINE",),
        limits=_SOON,
    )


def _silent(sandbox: Sandbox) -> Command:
    """Listen, take connections, and never answer."""
    listening = socket.create_server(("127.0.0.1", 0))
    _OPENED.append(listening)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    return Command(
        shell=f"$TFEXPORT export -m someone/model {sandbox.out}",
        environment={"HF_ENDPOINT": address, "HF_HOME": str(sandbox.folder / "hf")},
        unset=("HF_HUB_OFFLINE",),
        limits=Limits(seconds=150),
    )
