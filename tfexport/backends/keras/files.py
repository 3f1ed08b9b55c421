"""Whole models in ``.keras`` and ``.h5`` files and in preset folders of KerasHub. They are checked before they are loaded."""

from __future__ import annotations

import json
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tfexport.backends.keras import keras_on
from tfexport.backends.keras.code import code_in, objects
from tfexport.checkpoints.checkpoint import Checkpoint
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
"""Errors that Keras 3 and tf_keras raise for a file that they do not load."""
_EXTENSIONS = {"keras_hub": "keras-hub", "keras_nlp": "keras-hub", "keras_cv": "keras-cv"}
"""Packages whose layers a file may name, with the package to install for each."""


def load_model(file: Path, framework: Framework, trust: bool, source: str) -> Any:
    """Load a whole model from a file that `checked` has passed.

    Raises:
        RefusedError: Keras does not load the file.
    """
    keras = keras_on(framework)
    try:
        return keras.saving.load_model(file, compile=False, safe_mode=not trust)
    except REFUSES as error:
        raise RefusedError(f"Keras {keras.__version__} ({cause_of(error)})") from error


def checked(file: Path, trust: bool, source: str) -> None:
    """Refuse a file that is damaged, or holds code or only weights; import the packages whose layers it names.

    Raises:
        WeightsOnlyError: The file holds only weights.
        UntrustedCodeError: The model holds code, and the user did not trust it.
        CorruptCheckpointError: The file is damaged.
        FrameworkNotInstalledError: A package of layers is not installed.
    """
    config = _archived_config(file) if file.suffix == ".keras" else _hdf5_config(file, source)
    if not trust:
        _refuse_code(config, source)
    _import_extensions(config, source)


class RefusedError(Exception):
    """A version of Keras does not load a file. The text says which, and why."""


def load_preset(folder: Path, framework: Framework, trust: bool, source: str) -> Any:
    """Load the model of a preset folder of KerasHub: the model of its task, or the backbone where it lacks a task.

    Raises:
        FrameworkNotInstalledError: KerasHub is not installed.
        UntrustedCodeError: The preset holds code, and the user did not trust it.
        CheckpointError: KerasHub does not load the preset.
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
    name = _class_name(task, source) if task.is_file() else "Backbone"
    model_class = getattr(keras_hub.models, name, None)
    if model_class is None:
        raise CheckpointError(f"KerasHub {keras_hub.__version__} does not load {source}: it lacks the class {name}.")
    # The preprocessing before the model, with a tokenizer's tables, stays in the program that calls it.
    options = {"preprocessor": None} if task.is_file() else {}
    try:
        return model_class.from_preset(str(folder), **options)
    except REFUSES as error:
        raise CheckpointError(f"KerasHub does not load {source}: {cause_of(error)}") from error


def _class_name(task: Path, source: str) -> str:
    config = _json(task.read_text(), task)
    name = config.get("class_name") if isinstance(config, dict) else None
    if not isinstance(name, str):
        raise CorruptCheckpointError(f"{task} does not name a class. Fetch or save {source} again.")
    return name


def _archived_config(file: Path) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            return _json(archive.read(_CONFIG).decode(), file)
    except (zipfile.BadZipFile, KeyError, OSError, UnicodeDecodeError) as error:
        raise CorruptCheckpointError(
            f"{file} is not a readable Keras archive ({cause_of(error)}): it is truncated, or was not saved by Keras. "
            "Fetch or save it again."
        ) from error


def _hdf5_config(file: Path, source: str) -> Any:
    import h5py  # comes with Keras, which an export from PyTorch does not need

    try:
        with h5py.File(file, "r") as opened:
            config = opened.attrs.get("model_config")
    except OSError as error:
        raise CorruptCheckpointError(
            f"{file} is not a readable HDF5 file ({cause_of(error)}): it is truncated. Fetch or save it again."
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
            f"{source} holds code that runs when it is loaded: {', '.join(found)}. That code can do anything that "
            "you can. If you trust the source of the file, pass --trust (trust=True). In Python, import the module that "
            "registers classes of your own."
        )


def _import_extensions(config: Any, source: str) -> None:
    """Import the packages whose layers a configuration names. They register their layers."""
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


def cause_of(error: BaseException) -> str:
    """Return the first line of an error, or of the error of the innermost layer, for a message."""
    cause = str(error).rpartition("Exception encountered: ")[2].partition("Full object config")[0]
    return (cause.strip().splitlines() or [type(error).__name__])[0][:300]


def only_keras_file(checkpoint: Checkpoint) -> Path:
    """Return the file of a Keras checkpoint: the path itself, or the only Keras file in the folder.

    Raises:
        UnsupportedCheckpointError: The folder holds several Keras files.
    """
    files = [file for found in checkpoint.weights or () for file in found.files]
    if len(files) != 1:
        raise UnsupportedCheckpointError(
            f"{checkpoint.source} holds {len(files)} Keras files: {', '.join(file.name for file in files)}. Name one of them."
        )
    return files[0]
