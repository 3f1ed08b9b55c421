"""A checkpoint that is not loaded: its kind, its weight files, and their evidence of the framework.

Nothing here imports TensorFlow or PyTorch, or loads a weight; safetensors and HDF5 files are opened for their headers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tfexport.checkpoints import transformers_api
from tfexport.checkpoints.configuration import read_config
from tfexport.checkpoints.framework import Framework, FrameworkChoice, decide
from tfexport.checkpoints.places import check_folder, local_path, shown
from tfexport.checkpoints.signature import SignatureOptions
from tfexport.checkpoints.source_kind import SourceKind
from tfexport.checkpoints.sources import expected, hub_kind, kind_of_object, kind_of_path, looks_like_a_path, weights_in
from tfexport.checkpoints.weight_files import WeightFiles, sha256_of
from tfexport.errors import CheckpointNotFoundError


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, not loaded.

    Attributes:
        source: Name of the checkpoint as the user wrote it.
        kind: Kind of source.
        path: The local folder or file; None for a live model, and for a hub id that is not in the local cache.
        weights: Weight files that were found; None when the checkpoint is not local.
        cache_dir: Folder in which transformers keeps downloads; None for its default.
        model_type: Model type that the user named for a configuration that does not name one.
        options: Options for a model that declares itself by a signature.
        value: The live model; None for a checkpoint on disk.
    """

    source: str
    kind: SourceKind
    path: Path | None
    weights: tuple[WeightFiles, ...] | None
    cache_dir: str | None = None
    model_type: str | None = None
    options: SignatureOptions = field(default_factory=SignatureOptions)
    value: Any = None

    @property
    def location(self) -> str:
        """The argument for ``from_pretrained``."""
        return str(self.path) if self.path is not None else self.source

    @cached_property
    def config(self) -> Any:
        """The model's configuration (``transformers.PretrainedConfig``).

        Raises:
            CheckpointNotFoundError: The configuration is missing, or the hub cannot be reached.
            CorruptCheckpointError: The configuration is not JSON, or does not name a model type.
            TransformersNotInstalledError: transformers is not installed.
            UnsupportedModelTypeError: transformers does not know the model type.
        """
        return read_config(self.path, self.source, self.cache_dir, self.model_type)

    def choose_framework(self, requested: object | None, installed: Collection[Framework]) -> FrameworkChoice:
        """Choose the framework that exports; see `tfexport.checkpoints.framework.decide`.

        Args:
            requested: Framework that the user named; None for the checkpoint's own, or an installed one.
            installed: Frameworks that are installed.
        """
        return decide(
            requested,
            self.weights,
            installed,
            self.source,
            loads_in_both=self.kind.loads_in_both,
            expected=self.kind.weights_expected,
        )

    def weights_of(self, framework: Framework) -> WeightFiles | None:
        """Return the first weight files of a framework; None where the checkpoint lacks them."""
        return next((found for found in self.weights or () if found.framework == framework), None)

    def sha256(self, framework: Framework | None) -> dict[str, str]:
        """Return the SHA-256 of the files that identify the checkpoint, by file name. Empty when it is not local.

        Args:
            framework: Framework whose weight files are read.
        """
        if self.path is None or framework is None:
            return {}
        found = self.weights_of(framework)
        root = self.path if self.path.is_dir() else self.path.parent
        files = self.kind.fingerprint(root, found.files if found else ())
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
        CheckpointError: A file of the folder is not regular, may not be read, or is a link that leads elsewhere.
        CheckpointNotFoundError: The path does not exist, or is not a checkpoint.
        CorruptCheckpointError: A weight file or an index is truncated, or is not what its name says.
        TransformersNotInstalledError: The source is a hub id, and huggingface_hub is not installed.
    """
    read_as = options or SignatureOptions()
    if not isinstance(source, (str, Path)):
        return _live(source, read_as)
    name, cache = str(source), None if cache_dir is None else str(cache_dir)
    path = local_path(name, expected()) or _snapshot(name, cache)
    if path is None:
        return Checkpoint(name, hub_kind(), None, None, cache, model_type, read_as)
    if path.is_dir():
        check_folder(path)
    weights = weights_in(path)
    return Checkpoint(name, kind_of_path(path, weights, name), path, weights, cache, model_type, read_as)


def _snapshot(name: str, cache_dir: str | None) -> Path | None:
    """Return the folder of a hub id in the local cache; None where the cache lacks it, or lacks its weights.

    Raises:
        CheckpointNotFoundError: The name is a path that does not exist.
    """
    if looks_like_a_path(name):
        raise CheckpointNotFoundError(f"{shown(name)} does not exist. Expected {expected()}.")
    found = transformers_api.cached_snapshot(name, cache_dir)
    if found is None:
        return None
    check_folder(found)
    return found if weights_in(found) else None


def _live(value: Any, options: SignatureOptions) -> Checkpoint:
    own_name = getattr(value, "name", None)
    source = f"{type(value).__name__}{f' {own_name!r}' if isinstance(own_name, str) else ''} in Python"
    kind = kind_of_object(value)
    return Checkpoint(source, kind, None, tuple(kind.find_weights(value)), options=options, value=value)
