"""What lies on disk: the kind of checkpoint, its weight files, and what they say about the framework.

Nothing here imports TensorFlow or PyTorch, or loads a weight; safetensors and HDF5 files are opened for their headers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from tfexport.checkpoints.framework import Framework
from tfexport.checkpoints.signature import SignatureOptions
from tfexport.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    CorruptCheckpointError,
    UnsupportedModelTypeError,
    abbreviate,
    first_line,
)

Kind = Literal["huggingface", "keras", "keras-hub", "saved-model", "python"]

CONFIG = "config.json"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class WeightFiles:
    """Weights of one framework, in one file or in shards.

    Attributes:
        framework: whose weights they are.
        why: what was found, for the user.
        files: the files that hold them, index first.
    """

    framework: Framework
    why: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, not loaded.

    Attributes:
        source: as the user named it.
        kind: a Hugging Face folder or id, a Keras file, a preset directory of KerasHub, a TensorFlow SavedModel, or a live
            model in Python.
        path: the local folder or file; None for a hub id that is not in the local cache.
        weights: the weight files found; None when the checkpoint is not local.
        cache_dir: where transformers keeps what it downloads; None for its default.
        model_type: the model type that the user named for a configuration that names none.
        options: how a model that declares itself by a signature is read.
        value: the live model.
    """

    source: str
    kind: Kind
    path: Path | None
    weights: tuple[WeightFiles, ...] | None
    cache_dir: str | None = None
    model_type: str | None = None
    options: SignatureOptions = field(default_factory=SignatureOptions)
    value: Any = None

    @property
    def is_plain(self) -> bool:
        """Whether the model declares itself by a signature, and not by a configuration of transformers."""
        return self.kind != "huggingface"

    @property
    def location(self) -> str:
        """What ``from_pretrained`` takes."""
        return str(self.path) if self.path is not None else self.source

    @cached_property
    def config(self) -> Any:
        """The model's configuration (``transformers.PretrainedConfig``).

        Raises:
            CheckpointNotFoundError: no configuration, or a hub id that cannot be reached.
            CorruptCheckpointError: the configuration is not JSON, or names no model type.
            UnsupportedModelTypeError: transformers does not know the model type.
        """
        return _read_config(self)

    def weights_of(self, framework: Framework) -> WeightFiles | None:
        """The first weight files of a framework."""
        return next((found for found in self.weights or () if found.framework == framework), None)

    def sha256(self, framework: Framework | None) -> dict[str, str]:
        """SHA-256 of the configuration and of a framework's weight files, by file name. Empty when not local."""
        if self.path is None or framework is None:
            return {}
        found = self.weights_of(framework)
        root = self.path if self.path.is_dir() else self.path.parent
        files = [root / CONFIG, *(found.files if found else ())]
        if self.kind == "keras":
            files = files[1:]
        elif self.kind == "saved-model":
            files += sorted((root / "variables").glob("*"))
        elif self.kind == "keras-hub":
            files += [root / "task.json"]
        return {str(file.relative_to(root)): sha256_of(file) for file in files if file.is_file()}


def open_checkpoint(
    source: Any,
    *,
    cache_dir: str | Path | None = None,
    model_type: str | None = None,
    options: SignatureOptions | None = None,
) -> Checkpoint:
    """Look at a checkpoint: a local folder or file, a hub id (from the local cache when it is there), or a live model.

    Raises:
        CheckpointNotFoundError: a path that does not exist, or a folder that is no checkpoint.
        CorruptCheckpointError: a weight file or an index is truncated, or is not what its name says.
    """
    if not isinstance(source, (str, Path)):
        return _live(source, options)
    name = str(source)
    cache = None if cache_dir is None else str(cache_dir)
    path = Path(name).expanduser()
    if not path.exists():
        if _looks_local(name):
            raise CheckpointNotFoundError(f"{name} does not exist. Expected a checkpoint folder, a file, or a hub id.")
        snapshot = _cached_snapshot(name, cache)
        weights = () if snapshot is None else tuple(_find_weights(snapshot))
        if snapshot is None or not weights:
            return Checkpoint(name, "huggingface", None, None, cache, model_type)
        path = snapshot
    else:
        weights = tuple(_find_weights(path))
    chosen = options or SignatureOptions()
    return Checkpoint(name, _kind(path, weights, name), path, weights, cache, model_type, chosen)


def _live(value: Any, options: SignatureOptions | None) -> Checkpoint:
    name = getattr(value, "name", None)
    told = f"{type(value).__name__}{f' {name!r}' if isinstance(name, str) else ''} in Python"
    weights = (WeightFiles("tf", f"a {type(value).__name__} in Python", ()),)
    return Checkpoint(told, "python", None, weights, options=options or SignatureOptions(), value=value)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kind(path: Path, weights: tuple[WeightFiles, ...], name: str) -> Kind:
    if _is_preset(path):
        return "keras-hub"
    if path.is_dir() and (path / CONFIG).is_file():
        return "huggingface"
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return "saved-model"
    if path.is_file() and weights:
        return "keras"
    if path.is_dir() and weights and all(_is_keras_file(file) for found in weights for file in found.files):
        return "keras"
    if path.is_dir():
        raise CheckpointNotFoundError(
            f"{name} has no {CONFIG}, so its model type is unknown. Expected the configuration of the model beside "
            "its weights (model.config.save_pretrained writes it)."
        )
    raise CheckpointNotFoundError(f"{name} is not a checkpoint. Expected a folder, a .keras or an .h5 file.")


def _find_weights(path: Path) -> Iterator[WeightFiles]:
    if path.is_file():
        yield from _keras_file(path)
        return
    for index in ("model.safetensors.index.json", "pytorch_model.bin.index.json", "tf_model.h5.index.json"):
        if (path / index).is_file():
            yield _sharded(path / index)
    if (path / "model.safetensors").is_file():
        framework, found = _safetensors_framework(path / "model.safetensors")
        yield WeightFiles(framework, f"model.safetensors ({found})", (path / "model.safetensors",))
    if (path / "pytorch_model.bin").is_file():
        yield WeightFiles("pt", "pytorch_model.bin", (path / "pytorch_model.bin",))
    if (path / "tf_model.h5").is_file():
        _check_magic(path / "tf_model.h5", _HDF5_MAGIC, "an HDF5 file")
        yield WeightFiles("tf", "tf_model.h5", (path / "tf_model.h5",))
    if (path / "saved_model.pb").is_file():
        yield WeightFiles("tf", "saved_model.pb (SavedModel)", (path / "saved_model.pb",))
    for file in sorted(path.iterdir()):
        if _is_keras_file(file):
            yield from _keras_file(file)


def _is_preset(path: Path) -> bool:
    """Whether a folder is a preset that KerasHub saved: its configuration names a class, its metadata a version of Keras."""
    try:
        return bool(json.loads((path / "metadata.json").read_text()).get("keras_version")) and bool(
            json.loads((path / CONFIG).read_text()).get("class_name")
        )
    except (OSError, ValueError, AttributeError):
        return False


def _is_keras_file(file: Path) -> bool:
    """Whether a file is Keras's own, and not the HDF5 file or a shard of it that transformers writes."""
    ours = file.name == "tf_model.h5" or file.name.startswith("tf_model-")
    return file.suffix in (".keras", ".h5", ".hdf5") and not ours


def _keras_file(file: Path) -> Iterator[WeightFiles]:
    if file.suffix == ".keras" and file.is_file():
        _check_magic(file, _ZIP_MAGIC, "a Keras archive (zip)")
        yield WeightFiles("tf", f"{file.name} (Keras)", (file,))
    elif file.suffix in (".h5", ".hdf5") and file.is_file():
        _check_magic(file, _HDF5_MAGIC, "an HDF5 file")
        yield WeightFiles("tf", f"{file.name} (Keras HDF5)", (file,))


def _sharded(index: Path) -> WeightFiles:
    try:
        shard_names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        outside = [name for name in shard_names if PurePosixPath(name).name != name]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CorruptCheckpointError(f"{index} is not a shard index: expected JSON with a weight_map.") from error
    if not shard_names:
        raise CorruptCheckpointError(f"{index} is a shard index that names no shard.")
    if outside:
        raise CorruptCheckpointError(f"{index} names a shard outside its own folder: {outside[0]!r}.")
    missing = [name for name in shard_names if not (index.parent / name).is_file()]
    if missing:
        raise CheckpointNotFoundError(f"{index} names shards that are not there: {abbreviate(missing)}.")
    shards = tuple(index.parent / name for name in shard_names)
    files = (index, *shards)
    if index.name == "pytorch_model.bin.index.json":
        return WeightFiles("pt", f"{index.name} ({len(shards)} shards)", files)
    if index.name == "tf_model.h5.index.json":
        for shard in shards:
            _check_magic(shard, _HDF5_MAGIC, "an HDF5 file")
        return WeightFiles("tf", f"{index.name} ({len(shards)} shards)", files)
    frameworks = {_safetensors_framework(shard) for shard in shards}
    if len({framework for framework, _ in frameworks}) != 1:
        raise CorruptCheckpointError(f"{index} mixes shards of both frameworks.")
    framework, found = frameworks.pop()
    return WeightFiles(framework, f"{index.name} ({len(shards)} shards, {found})", files)


def _safetensors_framework(file: Path) -> tuple[Framework, str]:
    """Framework of a safetensors file by the ``format`` of its metadata, else by how its tensors are named."""
    try:
        with safe_open(file, framework="np") as archive:
            declared = (archive.metadata() or {}).get("format")
            first = next(iter(archive.keys()), "")
    except (SafetensorError, OSError) as error:
        raise CorruptCheckpointError(
            f"{file} cannot be read ({error}): it is truncated or not a safetensors file. Fetch or save it again."
        ) from error
    if declared == "pt":
        return "pt", "format pt"
    if declared == "tf":
        return "tf", "format tf"
    if declared is not None:
        raise CheckpointError(
            f"{file} has weights of format {declared!r}. Expected 'pt' (PyTorch) or 'tf' (TensorFlow)."
        )
    # TensorFlow's variables are called "bert/pooler/dense/kernel:0", PyTorch's "bert.pooler.dense.weight".
    return ("tf", "no format, TensorFlow names") if ":0" in first else ("pt", "no format, PyTorch names")


def _check_magic(file: Path, magic: bytes, kind: str) -> None:
    with file.open("rb") as stream:
        if stream.read(len(magic)) != magic:
            raise CorruptCheckpointError(f"{file} is not {kind}, though its name says so. Fetch or save it again.")


def _read_config(checkpoint: Checkpoint) -> Any:
    from transformers import CONFIG_MAPPING, AutoConfig

    model_type = checkpoint.model_type
    if checkpoint.path is not None:
        file = checkpoint.path / CONFIG
        try:
            declared = json.loads(file.read_text()).get("model_type")
        except FileNotFoundError as error:
            raise CheckpointNotFoundError(f"{checkpoint.source} has no {CONFIG}.") from error
        except (ValueError, AttributeError) as error:
            raise CorruptCheckpointError(f"{file} is not a JSON object: {error}.") from error
        model_type = model_type or declared
        if not model_type or not isinstance(model_type, str):
            # transformers would guess it from the folder's name, so that the same files differ by where they lie.
            raise CorruptCheckpointError(
                f"{file} names no model_type. Add it to the file, or pass --model-type (model_type=...), "
                "for example bert."
            )
        if model_type not in CONFIG_MAPPING:
            raise UnsupportedModelTypeError(
                f"{file} names the model type {model_type!r}, which transformers does not know."
            )
    try:
        if model_type:
            return CONFIG_MAPPING[model_type].from_pretrained(checkpoint.location, cache_dir=checkpoint.cache_dir)
        return AutoConfig.from_pretrained(checkpoint.location, cache_dir=checkpoint.cache_dir)
    except OSError as error:
        raise CheckpointNotFoundError(
            f"{checkpoint.source} is neither a local folder nor a model that the hub gives now: {first_line(error)}"
        ) from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise CorruptCheckpointError(
            f"the {CONFIG} of {checkpoint.source} is not one of {model_type or 'any model type'}: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error


def _looks_local(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or Path(name).suffix in (".h5", ".hdf5", ".keras")


def _cached_snapshot(name: str, cache_dir: str | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, cache_dir=cache_dir, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise CheckpointNotFoundError(f"{name} is neither a path that exists nor a hub id.") from error
