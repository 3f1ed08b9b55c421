"""A checkpoint of transformers: a folder with a ``config.json``, or an id on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError, safe_open

from tfexport.checkpoints.framework import Framework
from tfexport.checkpoints.source_kind import SourceKind
from tfexport.checkpoints.weight_files import HDF5, WeightFiles, opened
from tfexport.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    CorruptCheckpointError,
    UnreadableFileError,
    abbreviate,
)
from tfexport.files.json_files import read_json
from tfexport.files.reading import is_regular

_CONFIG = "config.json"
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json", "tf_model.h5.index.json")
_INDEX_SCHEMA = {
    "type": "object",
    "required": ["weight_map"],
    "properties": {"weight_map": {"type": "object", "additionalProperties": {"type": "string"}}},
}


class HuggingFaceCheckpoint(SourceKind):
    """See `tfexport.checkpoints.source_kind.SourceKind`."""

    name = "huggingface"
    description = "a folder or hub id of a transformers checkpoint"
    priority = 20
    weights_expected = (
        "model.safetensors, pytorch_model.bin, tf_model.h5, or one of their *.index.json files with its shards"
    )
    declares_itself = False
    is_on_hub = True
    loaders = {
        "pt": "tfexport.backends.pytorch.loading:load_model",
        "tf": "tfexport.backends.tensorflow.loading:load_model",
    }

    def recognises(self, source: Any, weights: Sequence[WeightFiles]) -> bool:
        return bool((source / _CONFIG).is_file())

    def find_weights(self, source: Any) -> Iterator[WeightFiles]:
        for index in _INDEXES:
            if (source / index).is_file():
                yield _sharded(source / index)
        if (source / "model.safetensors").is_file():
            framework, found = _safetensors_framework(source / "model.safetensors")
            yield WeightFiles(framework, f"model.safetensors ({found})", (source / "model.safetensors",))
        if (source / "pytorch_model.bin").is_file():
            opened(source / "pytorch_model.bin").close()
            yield WeightFiles("pt", "pytorch_model.bin", (source / "pytorch_model.bin",))
        if (source / "tf_model.h5").is_file():
            HDF5.check(source / "tf_model.h5")
            yield WeightFiles("tf", "tf_model.h5", (source / "tf_model.h5",))

    def fingerprint(self, root: Path, weights: Sequence[Path]) -> Iterable[Path]:
        return [root / _CONFIG, *weights]

    def near_miss(self, path: Path, name: str) -> str | None:
        if not path.is_dir():
            return None
        return (
            f"{name} has no {_CONFIG}, so its model type is unknown. Expected the configuration of the model beside "
            "its weights (model.config.save_pretrained writes it)."
        )


def _sharded(index: Path) -> WeightFiles:
    shards = _shards(index)
    files = (index, *shards)
    if index.name == "pytorch_model.bin.index.json":
        return WeightFiles("pt", f"{index.name} ({len(shards)} shards)", files)
    if index.name == "tf_model.h5.index.json":
        for shard in shards:
            HDF5.check(shard)
        return WeightFiles("tf", f"{index.name} ({len(shards)} shards)", files)
    frameworks = {_safetensors_framework(shard) for shard in shards}
    if len({framework for framework, _ in frameworks}) != 1:
        raise CorruptCheckpointError(f"{index} mixes shards of both frameworks.")
    framework, found = frameworks.pop()
    return WeightFiles(framework, f"{index.name} ({len(shards)} shards, {found})", files)


def _shards(index: Path) -> tuple[Path, ...]:
    """Return the shards that an index names, all of which exist in its own folder."""
    try:
        names = sorted(set(read_json(index, schema=_INDEX_SCHEMA)["weight_map"].values()))
    except UnreadableFileError as error:
        raise CorruptCheckpointError(
            f"{index} is not a shard index: {error}. Expected JSON with a weight_map from names of weights to names of files. "
            "Fetch or save it again."
        ) from error
    outside = [name for name in names if PurePosixPath(name).name != name]
    if not names:
        raise CorruptCheckpointError(f"{index} is a shard index that does not name a shard.")
    if outside:
        raise CorruptCheckpointError(f"{index} names a shard outside its own folder: {outside[0]!r}.")
    missing = [name for name in names if not is_regular(index.parent / name)]
    if missing:
        raise CheckpointNotFoundError(f"{index} names shards that do not exist: {abbreviate(missing)}.")
    return tuple(index.parent / name for name in names)


def _safetensors_framework(file: Path) -> tuple[Framework, str]:
    """Return the framework of a safetensors file by the ``format`` of its metadata, else by the names of its tensors."""
    opened(file).close()
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


KIND = HuggingFaceCheckpoint()
