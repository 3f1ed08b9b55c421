"""The files beside the graphs that clients need to load an exported directory: configuration, tokenizer, processor."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.configuration import CONFIG
from tfexport.checkpoints.places import SIDECARS
from tfexport.errors import OutputError

GENERATION_CONFIG = "generation_config.json"


def write_sidecar_files(checkpoint: Checkpoint, model: Any, preprocessor: Any, folder: Path) -> None:
    """Copy configuration, tokenizer and processor files byte for byte, and save those that the checkpoint lacks.

    A model that is not of transformers has no such files.

    Raises:
        OutputError: The files cannot be written.
    """
    if checkpoint.kind.declares_itself:
        return
    try:
        if checkpoint.path is not None:
            for pattern in SIDECARS:
                for file in sorted(checkpoint.path.glob(pattern)):
                    if file.is_file():
                        copied = folder / file.relative_to(checkpoint.path)
                        copied.parent.mkdir(exist_ok=True)
                        shutil.copyfile(file, copied)
        if not (folder / CONFIG).exists():
            model.config.save_pretrained(folder)
        generation = getattr(model, "generation_config", None)
        if generation is not None and not (folder / GENERATION_CONFIG).exists():
            generation.save_pretrained(folder)  # the settings of the model's own `generate`
        if preprocessor is not None:
            _save_missing(preprocessor, folder)
    except OSError as error:
        raise OutputError(
            f"the configuration and tokenizer files could not be written to {folder}: {error}."
        ) from error


def _save_missing(preprocessor: Any, folder: Path) -> None:
    """Save the files of a preprocessor that were not copied.

    transformers.js reads only tokenizer.json, which a fast tokenizer writes, also one that was made from a vocabulary file.
    """
    with TemporaryDirectory(dir=folder) as scratch:
        preprocessor.save_pretrained(scratch)
        for file in sorted(Path(scratch).iterdir()):
            if file.is_file() and not (folder / file.name).exists():
                file.replace(folder / file.name)
