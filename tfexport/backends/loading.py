"""Loading, as far as both frameworks share it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from safetensors import SafetensorError

from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import FRAMEWORK_NAMES, Framework, FrameworkChoice
from tfexport.checkpoints.inspection import inspect_hdf5
from tfexport.errors import CorruptCheckpointError, MismatchedWeightsError, TfExportError, UnsupportedCheckpointError

_SIZES_DIFFER = (
    "size mismatch",
    "mismatched",
    "cannot reshape",
    "requested shape has",
    "shapes did not match",
    "Incompatible shapes",
)
_UNREADABLE = (
    OSError,
    ValueError,
    RuntimeError,
    KeyError,
    AttributeError,
    EOFError,
    SafetensorError,
    pickle.UnpicklingError,
)


def loader(checkpoint: Checkpoint, framework: Framework) -> Callable[..., Any]:
    """Return the function that loads a checkpoint in a framework, as the kind of the checkpoint names it.

    Raises:
        UnsupportedCheckpointError: The framework cannot load this kind.
    """
    entry_point = checkpoint.kind.loaders.get(framework)
    if entry_point is None:
        raise UnsupportedCheckpointError(
            f"{FRAMEWORK_NAMES[framework]} cannot load {checkpoint.source} ({checkpoint.kind.description}). "
            f"Leave out --framework {framework} (framework={framework!r})."
        )
    module, _, function = entry_point.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def from_pretrained_options(checkpoint: Checkpoint, choice: FrameworkChoice) -> dict[str, Any]:
    """Return options that make ``from_pretrained`` read only the weight files on which the choice is based.

    Raises:
        CorruptCheckpointError: One of them is an HDF5 file that is damaged, or refers to another file.
    """
    options: dict[str, Any] = {"cache_dir": checkpoint.cache_dir}
    found = checkpoint.weights_of(choice.weights) if choice.weights is not None else None
    if found is not None:
        inspect_hdf5(*(file for file in found.files if file.suffix == ".h5"))
        options["use_safetensors"] = found.files[-1].suffix == ".safetensors"
    return options


@contextmanager
def readable_errors(checkpoint: Checkpoint, model_class: str, *of_framework: type[Exception]) -> Iterator[None]:
    """Turn an error that a framework raises on unreadable or ill-fitting weights into a typed one.

    Only the call of the framework belongs inside: an error of this package would be reported as one of the checkpoint.

    Args:
        checkpoint: Checkpoint that is loaded.
        model_class: Name of the class that loads it.
        of_framework: Further error classes, those of the framework.
    """
    unreadable: tuple[type[Exception], ...] = (*_UNREADABLE, *of_framework)
    try:
        yield
    except TfExportError:
        raise
    except unreadable as error:
        reason = str(error).strip() or type(error).__name__
        if any(sign in reason for sign in _SIZES_DIFFER):
            raise MismatchedWeightsError(
                f"the weights of {checkpoint.source} do not fit {model_class} as config.json describes it "
                f"(num_labels, vocab_size and hidden sizes are the usual causes): {reason}"
            ) from error
        raise CorruptCheckpointError(
            f"{checkpoint.source} could not be loaded as {model_class}: {type(error).__name__}: {reason}"
        ) from error
