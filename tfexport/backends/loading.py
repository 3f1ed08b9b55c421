"""Loading, as far as both frameworks share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from tfexport.backends.base import reason_of
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.configuration import contradicting_labels
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
_ADAPTER = "adapter_config.json"


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


def check_loadable(checkpoint: Checkpoint) -> None:
    """Refuse, before anything is loaded, a checkpoint whose weights no framework can load as they are.

    Raises:
        UnsupportedCheckpointError: The weights are quantised, or are those of an adapter.
    """
    source, path = checkpoint.source, checkpoint.path
    quantised = getattr(checkpoint.config, "quantization_config", None)
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, Mapping) else None
        raise UnsupportedCheckpointError(
            f"{source} holds quantised weights (the quantization_config of its config.json names {method!r}), which are not "
            "exported. Export the checkpoint that they were made from, or dequantise the model and save it again "
            "(model.dequantize(), model.save_pretrained)."
        )
    if path is not None and (path / _ADAPTER).is_file():
        raise UnsupportedCheckpointError(
            f"{source} holds an adapter ({_ADAPTER}): transformers would load the model that it names from another place. Merge "
            "the adapter into its model and save that (merge_and_unload, save_pretrained), or remove the file if the weights are "
            "merged already."
        )


@contextmanager
def readable_errors(checkpoint: Checkpoint, model_class: str) -> Iterator[None]:
    """Turn whatever a framework raises while it builds a model and loads its weights into a typed error.

    Configuration and weights are others': they decide which error of which class comes out of a framework, so all are caught.
    Only the call of the framework belongs inside: an error of this package would be reported as one of the checkpoint.

    Args:
        checkpoint: Checkpoint that is loaded.
        model_class: Name of the class that loads it.

    Raises:
        CorruptCheckpointError: The checkpoint cannot be loaded.
        MismatchedWeightsError: The weights have other shapes than the configuration says.
        UnsupportedCheckpointError: A library that the checkpoint needs is not installed.
    """
    try:
        yield
    except TfExportError:
        raise
    except ImportError as error:
        raise UnsupportedCheckpointError(
            f"{checkpoint.source} needs a library that is not installed: {reason_of(error)}. Install it, or use a checkpoint "
            "that does not need it."
        ) from error
    except Exception as error:
        reason = reason_of(error)
        if any(sign in str(error) for sign in _SIZES_DIFFER):
            raise MismatchedWeightsError(
                f"the weights of {checkpoint.source} do not fit {model_class} as config.json describes it "
                f"(num_labels, vocab_size and hidden sizes are the usual causes): {reason}"
                f"{contradicting_labels(checkpoint.path)}"
            ) from error
        raise CorruptCheckpointError(
            f"{checkpoint.source} could not be loaded as {model_class}: {type(error).__name__}: {reason}. Its config.json or "
            "its weights are not those of such a model: fetch or save them again."
        ) from error
