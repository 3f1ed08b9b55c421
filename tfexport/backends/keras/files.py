"""Whole models in ``.keras`` and ``.h5`` files and in preset directories of KerasHub: looked at before they are loaded."""

from __future__ import annotations

import json
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tfexport.backends.keras import keras_on
from tfexport.backends.keras.code import code_in, objects
from tfexport.checkpoints.framework import Framework
from tfexport.errors import (
    CheckpointError,
    CorruptCheckpointError,
    FrameworkNotInstalledError,
    UnsupportedCheckpointError,
    UntrustedCodeError,
    WeightsOnlyError,
)

_CONFIG = "config.json"
REFUSES = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    ImportError,
    IndexError,
    RuntimeError,
    NotImplementedError,
    OSError,
    AssertionError,
)
"""What both Keras raise for a file that they do not load."""
_EXTENSIONS = {"keras_hub": "keras-hub", "keras_nlp": "keras-hub", "keras_cv": "keras-cv"}
"""Packages whose layers a file may name, and what to install for them."""


def load_model(file: Path, framework: Framework, trust: bool, source: str) -> Any:
    """A whole model from a file. `checked` must have passed it.

    Raises:
        RefusedError: Keras does not load it.
    """
    keras = keras_on(framework)
    try:
        return keras.saving.load_model(file, compile=False, safe_mode=not trust)
    except REFUSES as error:
        raise RefusedError(f"Keras {keras.__version__} ({line(error)})") from error


def checked(file: Path, trust: bool, source: str) -> None:
    """Refuse a file that is damaged, that holds weights alone, or code; import the packages whose layers it names.

    Raises:
        WeightsOnlyError: the file has weights and no model.
        UntrustedCodeError: the model holds code, and the user did not say that it may run.
        CorruptCheckpointError: the file is damaged.
        FrameworkNotInstalledError: a package of layers is not installed.
    """
    config = _archived_config(file) if file.suffix == ".keras" else _hdf5_config(file, source)
    if not trust:
        _refuse_code(config, source)
    _import_extensions(config, source)


class RefusedError(Exception):
    """A Keras does not load a file; why."""


def load_preset(folder: Path, framework: Framework, trust: bool, source: str) -> Any:
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
    keras_on(framework)
    import keras_hub

    task = folder / "task.json"
    try:
        if not task.is_file():
            return keras_hub.models.Backbone.from_preset(str(folder))
        name = str(_json(task.read_text(), task).get("class_name"))
        # What goes before the model, a tokenizer's tables among them, stays with the program that feeds it.
        return getattr(keras_hub.models, name).from_preset(str(folder), preprocessor=None)
    except REFUSES as error:
        raise CheckpointError(f"KerasHub does not load {source}: {line(error)}") from error


def _archived_config(file: Path) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            return _json(archive.read(_CONFIG).decode(), file)
    except (zipfile.BadZipFile, KeyError, OSError, UnicodeDecodeError) as error:
        raise CorruptCheckpointError(
            f"{file} is no Keras archive that can be read ({line(error)}): it is truncated, or was not saved by Keras. "
            "Fetch or save it again."
        ) from error


def _hdf5_config(file: Path, source: str) -> Any:
    import h5py  # comes with Keras, which who exports from PyTorch need not have

    try:
        with h5py.File(file, "r") as opened:
            config = opened.attrs.get("model_config")
    except OSError as error:
        raise CorruptCheckpointError(
            f"{file} is no HDF5 file that can be read ({line(error)}): it is truncated. Fetch or save it again."
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


def _import_extensions(config: Any, source: str) -> None:
    """Import the packages whose layers a configuration names: they register themselves."""
    named = {
        str(item.get(key) or "").split(">")[0].split(".")[0]
        for item, _ in objects(config)
        for key in ("registered_name", "module")
    }
    for package, install in _EXTENSIONS.items():
        if package in named:
            if find_spec(package) is None:
                raise FrameworkNotInstalledError(
                    f"{source} has layers of {package}, which is not installed. Install {install}."
                )
            import_module(package)


def line(error: BaseException) -> str:
    """The first line of an error, or of that of the innermost layer, for a message."""
    cause = str(error).rpartition("Exception encountered: ")[2].partition("Full object config")[0]
    return (cause.strip().splitlines() or [type(error).__name__])[0][:300]


def only_keras_file(folder: Path, source: str) -> Path:
    """A Keras file, or the one of a folder.

    Raises:
        UnsupportedCheckpointError: there are several.
    """
    if folder.is_file():
        return folder
    files = sorted(file for file in folder.iterdir() if file.suffix in (".keras", ".h5", ".hdf5"))
    if len(files) != 1:
        raise UnsupportedCheckpointError(
            f"{source} holds {len(files)} Keras files: {', '.join(file.name for file in files)}. Name one of them."
        )
    return files[0]
