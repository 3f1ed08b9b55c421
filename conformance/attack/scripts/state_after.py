"""Looks at the process after exports that succeed, that are broken off at each stage, and that fail while a model is traced.

Arguments: the folder of the seeds, the target, and ``success`` or ``failure``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from conformance.attack.sandbox import snapshot
from conformance.attack.scripts.process_state import unchanged
from conformance.attack.scripts.reporting import done, problem, staged_beside
from tfexport import export_model
from tfexport.errors import TfExportError

_SOURCES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("bert-pt", {"framework": "pt"}),
    ("bert-tf", {}),
    ("dense-keras3.keras", {}),
    ("dense-tf-keras.h5", {}),
    ("saved-model", {"trust": True}),
    ("bert-pt", {"framework": "tf"}),
    ("bert-tf", {"framework": "pt"}),
)
_STAGES = ("inspect", "load", "declare", "convert", "write", "transform", "validate", "publish")
_ERRORS = (
    ValueError("odd"),
    KeyboardInterrupt(),
    MemoryError(),
    RecursionError(),
    ZeroDivisionError(),
    StopIteration(),
    SystemExit(3),
)


class _StopError(BaseException):
    """What an export is broken off with."""


def after_success(seeds: Path, target: Path) -> None:
    """Look after exports that succeed. The first export of a kind may import modules; the second changes nothing at all."""
    for name, options in _SOURCES:
        for time in ("first", "second"):
            with unchanged(f"{time} export of {name} {options}", functions=time == "second"):
                export_model(str(seeds / name), target, **options)


def after_failure(seeds: Path, target: Path) -> None:
    """Look after exports that are broken off and that fail."""
    for name, options in _SOURCES[:3]:
        export_model(str(seeds / name), target, **options)
        for stage in _STAGES:
            before = snapshot(target)
            with unchanged(f"{name} broken off at {stage}"), suppress(_StopError):
                export_model(str(seeds / name), target, progress=_stop_at(stage), **options)
            if snapshot(target) != before and stage in ("load", "convert", "write"):
                problem(f"{name} broken off at {stage}: the earlier export changed")
            if staged_beside(target):
                problem(f"{name} broken off at {stage}: left {staged_beside(target)}")
    _while_tracing(target)


def _stop_at(stage: str) -> Callable[[str], None]:
    def progress(name: str) -> None:
        if name == stage:
            raise _StopError(stage)

    return progress


def _while_tracing(target: Path) -> None:
    """Raise errors in the code of a model, within every patch of a conversion."""
    raised: list[BaseException] = []

    @keras.saving.register_keras_serializable(package="attack")
    class Breaks(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            if raised and isinstance(x, tf.Tensor) and not tf.executing_eagerly():
                raise raised[0]
            return x * 2.0

    inputs = keras.Input((8,))
    model = keras.Model(inputs, Breaks()(inputs))
    for error in _ERRORS:
        raised.clear()
        export_model(model, target)
        raised.append(error)
        name = type(error).__name__
        with unchanged(f"{name} while a model is traced"):
            try:
                export_model(model, target)
                problem(f"{name} while a model is traced: exported")
            except TfExportError:
                pass
            except BaseException as found:
                if isinstance(error, Exception) or type(found) is not type(error):
                    problem(f"{name} while a model is traced leaves as {type(found).__name__}")


if __name__ == "__main__":
    {"success": after_success, "failure": after_failure}[sys.argv[3]](Path(sys.argv[1]), Path(sys.argv[2]))
    done()
