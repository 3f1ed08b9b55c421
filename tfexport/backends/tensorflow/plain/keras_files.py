"""Load a ``.keras`` or a whole-model ``.h5`` file, or a preset directory of KerasHub: Keras 3 first, tf_keras when it refuses."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf
import tf_keras

from tfexport.backends.keras_code import code_in
from tfexport.errors import (
    CheckpointError,
    CorruptCheckpointError,
    FrameworkNotInstalledError,
    UnsupportedCheckpointError,
    UntrustedCodeError,
    WeightsOnlyError,
)

_CONFIG = "config.json"
_REFUSES = (ValueError, TypeError, KeyError, AttributeError, ImportError, IndexError, RuntimeError, NotImplementedError)
_EXTENSIONS = {"keras_hub": "keras-hub", "keras_nlp": "keras-hub", "keras_cv": "keras-cv"}
"""Packages whose layers a file may name, and what to install for them."""


def load_keras_file(file: Path, trust: bool, source: str) -> Any:
    """A whole model from a file.

    Raises:
        WeightsOnlyError: the file has weights and no model.
        UntrustedCodeError: the model holds code, and the user did not say that it may run.
        CorruptCheckpointError: the file is damaged.
        CheckpointError: neither Keras loads it.
    """
    config = _archived_config(file) if file.suffix == ".keras" else _hdf5_config(file, source)
    if not trust:
        _refuse_code(config, source)
    _import_extensions(config, source)
    try:
        return keras.saving.load_model(file, compile=False, safe_mode=not trust)
    except (*_REFUSES, OSError, tf.errors.OpError) as error:
        refused = error
    try:
        return tf_keras.models.load_model(str(file), compile=False, safe_mode=not trust)
    except (*_REFUSES, OSError, tf.errors.OpError) as error:
        raise CheckpointError(
            f"{source} loads neither in Keras {keras.__version__} ({_line(refused)}) nor in tf_keras {tf_keras.__version__} "
            f"({_line(error)}). A model with classes of its own needs their code: build or load it in Python and give it to "
            "tfexport.export_checkpoint(model, output)."
        ) from refused


def load_preset(folder: Path, trust: bool, source: str) -> Any:
    """The model of a KerasHub preset directory: the task's, where there is one, else the backbone.

    Raises:
        FrameworkNotInstalledError: KerasHub is not installed.
        CheckpointError: KerasHub does not load it.
    """
    if find_spec("keras_hub") is None:
        raise FrameworkNotInstalledError(
            f"{source} is a preset of KerasHub, which is not installed. Install tfexport[keras-hub] (the package keras-hub)."
        )
    if not trust:
        for file in sorted(folder.glob("*.json")):
            _refuse_code(_json(file.read_text(), file), source)
    import keras_hub

    try:
        if not (folder / "task.json").is_file():
            return keras_hub.models.Backbone.from_preset(str(folder))
        # A task is loaded by its own class: the general one refuses.
        task = _json((folder / "task.json").read_text(), folder / "task.json")
        return getattr(keras_hub.models, str(task["class_name"])).from_preset(str(folder))
    except (*_REFUSES, OSError, tf.errors.OpError) as error:
        raise CheckpointError(f"KerasHub does not load {source}: {_line(error)}") from error


def _archived_config(file: Path) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            return _json(archive.read(_CONFIG).decode(), file)
    except (zipfile.BadZipFile, KeyError, OSError, UnicodeDecodeError) as error:
        raise CorruptCheckpointError(
            f"{file} is no Keras archive that can be read ({_line(error)}): it is truncated, or was not saved by Keras. "
            "Fetch or save it again."
        ) from error


def _hdf5_config(file: Path, source: str) -> Any:
    try:
        with h5py.File(file, "r") as opened:
            config = opened.attrs.get("model_config")
    except OSError as error:
        raise CorruptCheckpointError(
            f"{file} is no HDF5 file that can be read ({_line(error)}): it is truncated. Fetch or save it again."
        ) from error
    if config is None:
        raise WeightsOnlyError(source)
    return _json(config if isinstance(config, str) else bytes(config).decode(), file)


def _json(text: str, file: Path) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CorruptCheckpointError(f"the configuration in {file} is not JSON: {error}.") from error


def _refuse_code(config: Any, source: str) -> None:
    found = code_in(config)
    if found:
        raise UntrustedCodeError(
            f"{source} holds code that runs when it is loaded: {', '.join(found)}. Whoever wrote the file can do with it what "
            "you can. If you trust where it comes from, say --trust (trust=True); in Python, classes of your own are known "
            "when what registers them is imported."
        )


def _objects(config: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping in a configuration."""
    if isinstance(config, Mapping):
        yield config
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)


def _import_extensions(config: Any, source: str) -> None:
    """Import the packages whose layers a configuration names: they register themselves."""
    named = {
        str(item.get(key) or "").split(">")[0].split(".")[0]
        for item in _objects(config)
        for key in ("registered_name", "module")
    }
    for package, install in _EXTENSIONS.items():
        if package in named:
            if find_spec(package) is None:
                raise FrameworkNotInstalledError(
                    f"{source} has layers of {package}, which is not installed. Install {install}."
                )
            import_module(package)


def _line(error: BaseException) -> str:
    cause = (
        str(error).rpartition("Exception encountered: ")[2].partition("Full object config")[0]
    )  # the innermost layer's
    return (cause.strip().splitlines() or [type(error).__name__])[0][:300]


def only_keras_file(folder: Path, source: str) -> Path:
    """The one Keras file of a folder.

    Raises:
        UnsupportedCheckpointError: there are several.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix in (".keras", ".h5", ".hdf5"))
    if len(files) != 1:
        raise UnsupportedCheckpointError(
            f"{source} holds {len(files)} Keras files: {', '.join(file.name for file in files)}. Name one of them."
        )
    return files[0]
