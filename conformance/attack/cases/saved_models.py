"""SavedModels: programs of TensorFlow, with and without ``--trust``, and damaged ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from conformance.attack.case import Area, Case
from conformance.attack.commands import Limits
from conformance.attack.documents import other_bytes
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("saved models", "saved-model")
_GRAPH = "saved_model.pb"
_SOON = Limits(seconds=60)
_TRUSTED = ("--trust",)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for seed in ("saved-model", "saved-model-write", "saved-model-read", "saved-model-python"):
        yield AREA.change(f"{seed}, not trusted", _nothing, seed=seed, says=_TRUSTED, quick=True)
    yield AREA.change("a sound one, trusted", _nothing, options=_TRUSTED, expect=Expectation.EXPORTED, limits=_SOON)
    yield AREA.change(
        "Python in it, trusted: ONNX has none",
        _nothing,
        seed="saved-model-python",
        options=_TRUSTED,
        says=("PyFunc",),
        quick=True,
        limits=_SOON,
    )
    for name, (change, expect) in _CHANGES.items():
        yield AREA.change(name, change, options=_TRUSTED, expect=expect, limits=_SOON)
    for option in ("--signature", "--tag"):
        for value in ("odd\x1b[2J", "", "n" * 10_000):
            yield AREA.change(
                f"{option} of {value[:10]!r}", _nothing, options=(*_TRUSTED, f"{option}={value}"), limits=_SOON
            )
    for number in range(6):
        yield AREA.change(
            f"{number + 1} other bytes", _noise(number), options=_TRUSTED, expect=Expectation.SAFE, limits=_SOON
        )
    for number in range(3):
        yield AREA.change(
            f"{number + 1} other bytes of the variables",
            _noise(number, "variables/variables.index"),
            options=_TRUSTED,
            expect=Expectation.SAFE,
            limits=_SOON,
        )


def _nothing(model: Path, sandbox: Sandbox) -> None:
    pass


def _cut(share: float) -> Callable[[Path, Sandbox], object]:
    def spoil(model: Path, sandbox: Sandbox) -> None:
        content = (model / _GRAPH).read_bytes()
        (model / _GRAPH).write_bytes(content[: int(len(content) * share)])

    return spoil


def _each(pattern: str, change: Callable[[Path], object]) -> Callable[[Path, Sandbox], object]:
    return lambda model, _: [change(file) for file in model.glob(pattern)]


def _renamed(old: bytes, new: bytes) -> Callable[[Path, Sandbox], object]:
    return lambda model, _: (model / _GRAPH).write_bytes((model / _GRAPH).read_bytes().replace(old, new))


def _noise(seed: int, name: str = _GRAPH) -> Callable[[Path, Sandbox], object]:
    def spoil(model: Path, sandbox: Sandbox) -> None:
        (model / name).write_bytes(other_bytes((model / name).read_bytes(), seed))

    return spoil


def _fifo(model: Path, sandbox: Sandbox) -> None:
    (model / _GRAPH).unlink()
    os.mkfifo(model / _GRAPH)


def _text_form(model: Path, sandbox: Sandbox) -> None:
    (model / _GRAPH).rename(model / "saved_model.pbtxt")
    (model / "saved_model.pbtxt").write_text("odd {" * 10_000)


_CHANGES: dict[str, tuple[Callable[[Path, Sandbox], object], Expectation]] = {
    "cut in half": (_cut(0.5), Expectation.REFUSED),
    "no bytes": (_cut(0), Expectation.REFUSED),
    "noise": (
        lambda model, _: (model / _GRAPH).write_bytes(np.random.default_rng(3).bytes(9000)),
        Expectation.REFUSED,
    ),
    "text": (_text_form, Expectation.REFUSED),
    "no variables": (_each("variables/*", Path.unlink), Expectation.REFUSED),
    "variables that are cut": (_each("variables/*", lambda f: f.write_bytes(f.read_bytes()[:20])), Expectation.REFUSED),
    "data of no bytes": (_each("variables/*.data*", lambda f: f.write_bytes(b"")), Expectation.REFUSED),
    "a FIFO": (_fifo, Expectation.REFUSED),
    "a config.json of transformers beside it": (
        lambda model, _: (model / "config.json").write_text(json.dumps({"model_type": "bert"})),
        Expectation.REFUSED,
    ),
    "an operator that TensorFlow does not know": (_renamed(b"MatMul", b"MatMux"), Expectation.REFUSED),
    "an operator with the attributes of another": (_renamed(b"MatMul", b"Conv2D"), Expectation.REFUSED),
    "a dtype that does not exist": (_renamed(b"DT_FLOAT", b"DT_FLOAX"), Expectation.SAFE),
}
