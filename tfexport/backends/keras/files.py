"""Whole models in ``.keras`` and ``.h5`` files and in preset folders of KerasHub. They are checked before they are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

from tfexport.backends.keras import keras_on
from tfexport.backends.keras.code import code_in, objects
from tfexport.backends.keras.sizes import Stored, check_calls, watched
from tfexport.backends.keras.vocabulary import Vocabulary
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import Framework
from tfexport.checkpoints.inspection import inspect_archive, inspect_hdf5
from tfexport.errors import (
    CheckpointError,
    CorruptCheckpointError,
    FrameworkNotInstalledError,
    TfExportError,
    UnreadableFileError,
    UnsupportedCheckpointError,
    UntrustedCodeError,
    WeightsOnlyError,
    abbreviate,
)
from tfexport.files.json_files import parse_json, read_json

_TASK = "task.json"
REFUSES = (Exception, SystemExit)
"""Errors that Keras 3 and tf_keras raise for a file that they do not load: on damage, whatever their code happens to meet."""
_EXTENSIONS = {"keras_hub": "keras-hub", "keras_nlp": "keras-hub", "keras_cv": "keras-cv"}
"""Packages whose layers a file may name, with the package to install for each."""


@dataclass(frozen=True)
class CheckedFile:
    """A Keras file that may be loaded.

    Attributes:
        file: The file.
        source: Name of the file for messages.
        trust: Whether the user trusts the code in it.
        stored: What its weights hold.
        allowed: The Kerases that may load it: what it names is only what they allow.
    """

    file: Path
    source: str
    trust: bool
    stored: Stored
    allowed: tuple[ModuleType, ...]

    def load(self, keras: ModuleType) -> Any:
        """Load the whole model.

        Args:
            keras: Keras 3 or tf_keras.

        Raises:
            RefusedError: This Keras does not load the file, or may not.
            CorruptCheckpointError: The model is larger than its file.
        """
        if keras not in self.allowed:
            raise RefusedError(
                f"{_called(keras)} {keras.__version__} (it lacks classes or functions that the file names)"
            )
        try:
            with watched([keras], self.stored, self.source):
                return keras.models.load_model(str(self.file), compile=False, safe_mode=not self.trust)
        except TfExportError:
            raise
        except REFUSES as error:
            raise RefusedError(f"{_called(keras)} {keras.__version__} ({cause_of(error)})") from error


def checked(file: Path, kerases: Sequence[ModuleType], trust: bool, source: str) -> CheckedFile:
    """Refuse a file that is damaged, or holds only weights, or code; import the packages whose layers it names.

    Args:
        file: The file.
        kerases: Keras 3, and tf_keras where it may load the file too.
        trust: Whether the user trusts the code in the file.
        source: Name of the file for messages.

    Raises:
        WeightsOnlyError: The file holds only weights.
        UntrustedCodeError: None of them may load the file: the model holds code, and the user did not trust it.
        CorruptCheckpointError: The file is damaged.
        FrameworkNotInstalledError: A package of layers is not installed.
    """
    text, stored = _archived(file) if file.suffix == ".keras" else _in_hdf5(file, source)
    config = _parsed(text, f"the configuration in {file}")
    stored = replace(stored, listed=check_calls(config, source))
    _import_extensions(config, source)
    allowed = kerases if trust else _refuse_code([config], kerases, source)
    return CheckedFile(file, source, trust, stored, tuple(allowed))


def _called(keras: ModuleType) -> str:
    return "Keras" if keras.__name__ == "keras" else keras.__name__


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
    configs = {file.name: _read(file) for file in sorted(folder.glob("*.json"))}
    _check_shards(configs, source)
    weights = inspect_hdf5(*sorted(folder.glob("*.h5")))
    listed = check_calls(list(configs.values()), source)
    stored = Stored(sum(each.values for each in weights), sum(each.arrays for each in weights), listed)
    keras = keras_on(framework)
    import keras_hub

    if not trust:
        _refuse_code(list(configs.values()), [keras], source)
    task = configs.get(_TASK)
    name = "Backbone" if task is None else _class_name(task, folder / _TASK, source)
    model_class = getattr(keras_hub.models, name, None)
    if model_class is None or not hasattr(model_class, "from_preset"):
        raise CheckpointError(f"KerasHub {keras_hub.__version__} does not load {source}: it lacks the class {name}.")
    # The preprocessing before the model, with a tokenizer's tables, stays in the program that calls it.
    options = {} if task is None else {"preprocessor": None}
    try:
        with watched([keras], stored, source):
            return model_class.from_preset(str(folder), **options)
    except TfExportError:
        raise
    except REFUSES as error:
        raise CheckpointError(f"KerasHub does not load {source}: {cause_of(error)}") from error


def _class_name(task: Any, file: Path, source: str) -> str:
    name = task.get("class_name") if isinstance(task, dict) else None
    if not isinstance(name, str):
        raise CorruptCheckpointError(f"{file} does not name a class. Fetch or save {source} again.")
    return name


def _check_shards(configs: Mapping[str, Any], source: str) -> None:
    """Check that the files of weights that an index names lie beside it."""
    for name, config in configs.items():
        shards = config.get("weight_map") if isinstance(config, dict) else None
        for shard in _texts(shards):
            if PurePath(shard).name != shard:
                raise CorruptCheckpointError(f"{name} of {source} names weights outside its folder: {shard!r}.")


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict | list):
            waiting += each.values() if isinstance(each, dict) else each


def _archived(file: Path) -> tuple[str, Stored]:
    found = inspect_archive(file)
    return found.config, Stored(found.values, found.arrays)


def _in_hdf5(file: Path, source: str) -> tuple[str, Stored]:
    found = inspect_hdf5(file)[0]
    if found.model_config is None:
        raise WeightsOnlyError(source)
    return found.model_config, Stored(found.values, found.arrays)


def _read(file: Path) -> Any:
    try:
        return read_json(file)
    except UnreadableFileError as error:
        raise CorruptCheckpointError(f"{error}. Fetch or save it again.") from error


def _parsed(text: str, name: str) -> Any:
    try:
        return parse_json(text, name)
    except UnreadableFileError as error:
        raise CorruptCheckpointError(f"{error}. Fetch or save it again.") from error


def _refuse_code(configs: Sequence[Any], kerases: Sequence[ModuleType], source: str) -> list[ModuleType]:
    """Return those Kerases whose vocabulary allows all that configurations name."""
    found = {keras: code_in(configs, Vocabulary(keras)) for keras in kerases}
    if all(found.values()):
        raise UntrustedCodeError(
            f"{source} holds code that runs when it is loaded: {abbreviate(sorted(found.values(), key=len)[0])}. "
            "That code can do anything that you can. If you trust the source of the file, pass --trust (trust=True). In Python, "
            "import the module that registers classes of your own."
        )
    return [keras for keras, code in found.items() if not code]


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
