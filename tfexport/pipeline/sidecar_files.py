"""The files beside the graphs that clients need to load an exported directory: configuration, tokenizer, processor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tfexport.checkpoints.configuration import CONFIG
from tfexport.checkpoints.places import SIDECARS
from tfexport.checkpoints.sentence_modules import WEIGHTS
from tfexport.errors import CorruptCheckpointError, OutputError, TfExportError, first_line
from tfexport.files.json_files import read_object
from tfexport.pipeline.plan import ConfiguredPlan

GENERATION_CONFIG = "generation_config.json"
ORIGINAL_CONFIG = "config.original.json"
"""The configuration as the checkpoint has it, beside one that says what was used in its place."""


def write_sidecar_files(plan: ConfiguredPlan, model: Any, preprocessor: Any, folder: Path) -> None:
    """Copy configuration, tokenizer and processor files byte for byte, and save those that the checkpoint lacks.

    The configuration names the model type, the class and the number of labels that were used. Where the checkpoint names others,
    its own configuration lies beside it as ``config.original.json``.

    Args:
        plan: Plan of the export. A model that is not of transformers has no such files.
        model: The loaded model.
        preprocessor: Tokenizer or processor; None when the checkpoint has none that loads.
        folder: Folder to write into.

    Raises:
        OutputError: The files cannot be written.
    """
    checkpoint = plan.checkpoint
    try:
        if checkpoint.path is not None:
            for pattern in (*SIDECARS, *WEIGHTS):
                for file in sorted(checkpoint.path.glob(pattern)):
                    if file.is_file():
                        copied = folder / file.relative_to(checkpoint.path)
                        copied.parent.mkdir(exist_ok=True)
                        shutil.copyfile(file, copied)
        if not (folder / CONFIG).exists():
            model.config.save_pretrained(folder)
        _correct_configuration(folder, plan)
        generation = getattr(model, "generation_config", None)
        if generation is not None and not (folder / GENERATION_CONFIG).exists():
            with suppress(ValueError):  # transformers saves no settings that it calls invalid, such as pad_token_id -1
                generation.save_pretrained(folder)  # the settings of the model's own `generate`
        if preprocessor is not None:
            _save_missing(plan, preprocessor, folder)
    except OSError as error:
        raise OutputError(
            f"the configuration and tokenizer files could not be written to {folder}: {error}."
        ) from error


def _correct_configuration(folder: Path, plan: ConfiguredPlan) -> None:
    """Write what was used into a configuration that says something else, and keep the original beside it."""
    file = folder / CONFIG
    written = read_object(file)
    used = written | _used(written, plan)
    if used == written:
        return
    if plan.checkpoint.path is not None:
        file.rename(folder / ORIGINAL_CONFIG)
    file.write_text(json.dumps(used, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _used(written: dict[str, Any], plan: ConfiguredPlan) -> dict[str, Any]:
    """Return the values of a configuration by which clients choose their classes, as this export used them."""
    config = plan.checkpoint.config
    labels = {"num_labels": config.num_labels} if "num_labels" in written else {}
    return {"model_type": config.model_type, "architectures": [plan.model_class.removeprefix("TF")], **labels}


def _save_missing(plan: ConfiguredPlan, preprocessor: Any, folder: Path) -> None:
    """Save the files of a preprocessor that were not copied.

    transformers.js reads only tokenizer.json, which a fast tokenizer writes, also one that was made from a vocabulary file.
    """
    with TemporaryDirectory(dir=folder) as scratch:
        with _readable_errors(plan.checkpoint.source):
            preprocessor.save_pretrained(scratch)
        for file in sorted(Path(scratch).iterdir()):
            if file.is_file() and not (folder / file.name).exists():
                file.replace(folder / file.name)


@contextmanager
def _readable_errors(source: str) -> Iterator[None]:
    """Turn whatever a preprocessor raises while it is saved into a typed error: files of others decide what it holds."""
    try:
        yield
    except (OSError, TfExportError):
        raise
    except Exception as error:
        raise CorruptCheckpointError(
            f"the tokenizer or processor of {source} cannot be saved: {type(error).__name__}: {first_line(error)}. Fetch or "
            "save its files again."
        ) from error
