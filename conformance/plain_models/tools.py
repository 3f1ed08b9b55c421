"""The functions that run in processes: build and save a model, export it with a tool, judge the file.

Each function runs in its own process. Those of the stock tools import no module of tfexport that imports TensorFlow, and
check that: tfexport's backend and Keras's export each patch tf2onnx for the whole process.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.plain_models import judge
from conformance.plain_models.models import MODELS
from conformance.plain_models.spec import PlainModel
from conformance.real_weights import BASIC_PITCH, FER, fetch
from tfexport.benchmark.memory import peak_mib, reset_peak, resident_mib, virtual_mib

LIMIT_GIB = 14
ONNX = "model.onnx"
_SAVED = "saved_model"
_FILES = {"keras": "model.keras", "h5": "model.h5", "preset": "preset"}
_LEAST, _MOST, _APART = 0.05, 100.0, 0.01


def prepare(index: int, folder: Path) -> dict[str, Any]:
    """Build a model, save it in the form that each tool reads, and record its outputs.

    Raises:
        RuntimeError: The outputs would not distinguish a correct file from a wrong one.
    """
    model = MODELS[index]
    live = model.build()
    references = [_outputs(model, live, model.arrays(case)) for case in range(len(model.cases))]
    _check(references)
    for case, reference in enumerate(references):
        np.savez(folder / f"{case}.npz", **reference)  # type: ignore[arg-type]
    if model.source in ("keras", "h5") and model.build.__name__ != "fer":
        live.save(folder / _FILES[model.source])
    elif model.source == "preset":
        live.save_to_preset(str(folder / _FILES["preset"]))
    return {
        "weights_mib": _weights_mib(model, live),
        "magnitude": max(float(np.abs(each).max()) for reference in references for each in reference.values()),
        "saved_model": _save(model, live, folder / _SAVED),
    }


def _outputs(model: PlainModel, live: Any, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    import tensorflow as tf

    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    if not model.keras:
        made = live.signatures["serving_default"](**tensors)
    elif model.source == "preset":
        made = live(tensors, training=False)
    else:
        values = list(tensors.values())
        if model.build.__name__ == "deepcut":
            values = [tf.cast(value, tf.float32) for value in values]
        made = live(values if len(values) > 1 else values[0], training=False)
    if not isinstance(made, Mapping):
        made = dict(zip(model.outputs, made if isinstance(made, (list, tuple)) else [made], strict=True))
    return {name: np.asarray(made[name]) for name in model.outputs}


def _check(references: Sequence[Mapping[str, np.ndarray]]) -> None:
    for name in references[0]:
        outputs = [each[name] for each in references]
        largest = max(float(np.abs(output).max()) for output in outputs)
        shortest = tuple(slice(0, min(lengths)) for lengths in zip(*(output.shape for output in outputs), strict=True))
        apart = float(np.ptp(np.stack([output[shortest] for output in outputs]), axis=0).max())
        if not _LEAST <= largest <= _MOST or apart < _APART * largest:
            raise RuntimeError(
                f"{name} distinguishes no file: its values are up to {largest:g}, and differ by {apart:g} between inputs"
            )


def _weights_mib(model: PlainModel, live: Any) -> float:
    weights = live.weights if model.keras else live.signatures["serving_default"].variables
    return float(sum(np.asarray(each).nbytes for each in weights) / 2**20)


def _save(model: PlainModel, live: Any, folder: Path) -> str | None:
    """Save a model as a SavedModel, and return the error, if any."""
    import tensorflow as tf

    try:
        if model.keras == "keras":
            live.export(str(folder), format="tf_saved_model", verbose=False)
        elif model.keras:
            tf.saved_model.save(live, str(folder))
    except (ValueError, TypeError, RuntimeError, tf.errors.OpError) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return None


def _file(model: PlainModel, folder: Path) -> Path:
    """Return the path of a model on disk."""
    if model.source == "saved-model":
        return fetch(BASIC_PITCH) / "nmp"
    return fetch(FER) if model.build.__name__ == "fer" else folder / _FILES[model.source]


def _live(model: PlainModel, folder: Path) -> Any:
    """Return a live model, from its file where it has one."""
    if model.source == "python":
        return model.build()
    if model.source == "preset":
        import keras_hub

        return keras_hub.models.Backbone.from_preset(str(_file(model, folder)))
    import keras

    return keras.saving.load_model(_file(model, folder), compile=False)


def with_tfexport(index: int, folder: Path, target: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Export with tfexport. Time and memory exclude its own validation, whose result is kept as ``own_verdict``."""
    from tfexport.backends import get_backend
    from tfexport.pipeline.export import export_model

    get_backend("tf")
    model = MODELS[index]
    clock = _Clock(model)
    source = model.build() if model.source == "python" else _file(model, folder)
    result = export_model(
        source, target.parent / "export", trust=True, keep_invalid=True, progress=clock.at("validate")
    )
    clock.stop()
    (target.parent / "export" / ONNX).rename(target)
    for data in (target.parent / "export").glob("*.onnx_data"):
        data.rename(target.parent / data.name)
    return clock.measured | {"own_verdict": result.valid}


def with_tf2onnx(index: int, folder: Path, target: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Run what ``python -m tf2onnx.convert`` runs, stock."""
    model = MODELS[index]
    if model.keras == "tf_keras":
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tf2onnx.convert

    names = {"SAVED_MODEL": _file(model, folder) if not model.keras else folder / _SAVED}
    if model.source in ("keras", "h5"):
        names["FILE"] = _file(model, folder)
    sys.argv = ["tf2onnx.convert", *(str(names.get(each, each)) for each in arguments), "--output", str(target)]
    clock = _Clock(model)
    try:
        tf2onnx.convert.main()
    except SystemExit as error:
        raise RuntimeError(f"tf2onnx ended with exit code {error.code}") from error
    clock.stop()
    _unpatched()
    return clock.measured


def with_keras(index: int, folder: Path, target: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Run ``model.export(path, format="onnx")`` of Keras 3, stock."""
    import keras
    import tf2onnx.convert  # noqa: F401

    model = MODELS[index]
    if model.source == "preset":
        import keras_hub  # noqa: F401
    clock = _Clock(model)
    live = _live(model, folder)
    _outputs(model, live, model.arrays(0))  # Keras refuses a model that was never called
    live.export(str(target), format="onnx", verbose=False)
    clock.stop()
    assert keras.backend.backend() == "tensorflow"
    _unpatched(by_keras=True)
    return clock.measured


def _unpatched(by_keras: bool = False) -> None:
    """Raise an error if tf2onnx is patched, except by Keras where that is expected."""
    ours = [name for name in sys.modules if name.startswith("tfexport.backends.tensorflow")]
    keras = sys.modules.get("keras.src.export.tf2onnx_lib")
    patched = keras is not None and keras.patch_tf2onnx.cache_info().currsize > 0
    if ours or patched != by_keras:
        raise RuntimeError(f"this tf2onnx is not stock: {', '.join(ours) or 'patched by Keras'}")


class _Clock:
    """Time and memory from a file, or a function that builds the model, to an ONNX file, after all imports.

    Args:
        model: The model; its weights are in memory with any tool, and are not counted.
    """

    def __init__(self, model: PlainModel) -> None:
        import tensorflow as tf

        tf.constant(1.0) + 1.0  # the runtime starts
        if model.source == "preset":
            import keras_hub  # noqa: F401
        gc.collect()
        allowed = int((virtual_mib() + LIMIT_GIB * 1024) * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
        self.measured: dict[str, Any] = {}
        self._before = resident_mib()
        reset_peak()
        self._start = time.perf_counter()

    def at(self, stage: str) -> Callable[[str], None]:
        """Return a callback that stops the clock when a stage begins."""
        return lambda begun: self.stop() if begun == stage else None

    def stop(self) -> None:
        """Record that the file is written. The first call counts; a later one records the whole duration."""
        now = {
            "seconds": round(time.perf_counter() - self._start, 2),
            "above_imports_mib": round(peak_mib() - self._before, 1),
        }
        self.measured |= {f"whole_{name}": value for name, value in now.items()} if self.measured else now


TOOLS: dict[str, Callable[[int, Path, Path, Sequence[str]], dict[str, Any]]] = {
    "tfexport": with_tfexport,
    "tf2onnx": with_tf2onnx,
    "keras": with_keras,
}


def attempts(tool: str, model: PlainModel) -> list[list[str]]:
    """Return the ways to use a tool, which are all tried; empty when it does not accept such models."""
    if tool == "keras":
        return [[]] if model.keras == "keras" else []
    if tool == "tfexport":
        return [[]]
    ways = [["--saved-model", "SAVED_MODEL"], ["--saved-model", "SAVED_MODEL", "--opset", "18"]]
    return ways + ([["--keras", "FILE"]] if model.source in ("keras", "h5") else [])


def judged(index: int, folder: Path, file: Path) -> dict[str, Any]:
    """Judge a file by the recorded outputs."""
    model = MODELS[index]
    cases = []
    for case in range(len(model.cases)):
        with np.load(folder / f"{case}.npz") as held:
            cases.append((model.arrays(case), {name: held[name] for name in model.outputs}))
    return judge.structure(file, model) | judge.agreement(file, model, cases)
