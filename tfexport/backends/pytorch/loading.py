"""Load a checkpoint into a PyTorch class of transformers."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from tfexport.backends import get_backend
from tfexport.backends.base import LoadedModel
from tfexport.backends.loading import from_pretrained_options, readable_errors
from tfexport.backends.pytorch.weights import weight_names
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import FrameworkChoice
from tfexport.checkpoints.transformers_api import (
    class_named,
    copy_weights_to_pytorch,
    pytorch_name,
    to_pytorch_order,
)
from tfexport.errors import MismatchedWeightsError

_STATISTICS = {"moving_mean": "running_mean", "moving_variance": "running_var"}
"""What batch normalisation calls its statistics, in TensorFlow and in PyTorch."""
_COUNTER = "num_batches_tracked"


def load_model(
    checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice, attention: str | None = "eager"
) -> LoadedModel:
    """Load a checkpoint; TensorFlow weights are converted when it holds no others.

    Args:
        checkpoint: what is loaded.
        model_class: the class of transformers.
        choice: whose weights are loaded.
        attention: transformers' implementation of attention; None for the one that it takes by itself. Eager attention is
            the one that is exported.

    Raises:
        CheckpointError: the weights cannot be read or do not fit the model.
        FrameworkNotInstalledError: TensorFlow, which must convert the weights, is not installed.
    """
    if choice.converts_weights:
        model, missing = _from_tensorflow(checkpoint, model_class, choice, attention)
    else:
        model, missing = _from_pytorch(checkpoint, model_class, choice, attention)
    names = weight_names(model)
    return LoadedModel(model.eval(), model_class, frozenset(names[name] for name in missing if name in names))


def _from_pytorch(
    checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice, attention: str | None
) -> tuple[Any, Iterable[str]]:
    options = from_pretrained_options(checkpoint, choice)
    with readable_errors(checkpoint, model_class):
        model, report = class_named(model_class).from_pretrained(
            checkpoint.location,
            config=copy.deepcopy(checkpoint.config),
            attn_implementation=attention,
            output_loading_info=True,
            **options,
        )
    return model, report["missing_keys"]


def _from_tensorflow(
    checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice, attention: str | None
) -> tuple[Any, Iterable[str]]:
    """Through the TensorFlow model: ``from_tf=True`` of transformers 4.57 fails on torch 2.13's meta device.

    That will not be mended: transformers 5 has no TensorFlow.
    """
    from tfexport.backends.tensorflow.weights import weight_name  # only where both frameworks are installed

    loaded = get_backend("tf").load(checkpoint, f"TF{model_class}", FrameworkChoice("tf", choice.reason, "tf"))
    with readable_errors(checkpoint, model_class):
        config = copy.deepcopy(checkpoint.config)
        config._attn_implementation = attention
        model = class_named(model_class)(config)
        missing = copy_weights_to_pytorch(model, loaded.model)
        variables = _by_pytorch_name(model, loaded.model)
        left = missing - _convert_what_is_left(model, variables, missing)
    _check_tied(model, variables, model_class)
    scope = loaded.model.name
    absent = {name for name, variable in variables.items() if weight_name(variable, scope) in loaded.missing_weights}
    return model, {*_not_converted(model, left), *absent}


def _convert_what_is_left(model: Any, variables: Mapping[str, Any], reported: Collection[str]) -> set[str]:
    """Convert what transformers 4.57 leaves out, and say under which PyTorch names.

    It converts no buffer, not even BART's bias of the logits or the statistics of a batch normalisation, and says so of
    some alone; and it knows the names of an encoder-decoder's parts in the other direction only.

    Returns:
        Names in the state dict; and those of counters that nothing but training reads.
    """
    parameters = {name for name, _ in model.named_parameters()} - set(reported)
    names = weight_names(model)
    done = {name for name in names if name.endswith(_COUNTER)}
    for name, tensor in model.state_dict().items():
        variable = variables.get(name)
        if variable is None or name in parameters or names[name] != name:
            continue
        _, transpose = pytorch_name(variable.name, shape=variable.shape)
        array = to_pytorch_order(transpose, variable.numpy(), tuple(tensor.shape))
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))  # the state dict is a view of the model
        done.add(name)
    return done


def _not_converted(model: Any, reported: Iterable[str]) -> Iterator[str]:
    """Weights without a TensorFlow variable. The report also names the second name of each tied weight."""
    missing = set(reported)
    names = weight_names(model)
    converted = {names[name] for name in names if name not in missing}
    return (name for name in missing if names.get(name) not in converted)


def _by_pytorch_name(model: Any, tf_model: Any) -> dict[str, Any]:
    """A TensorFlow model's variables, by the PyTorch names that they are converted to."""
    names = set(model.state_dict())
    prefix = f"{model.base_model_prefix}."
    if any(name.startswith(prefix) for name in names):
        prefix = ""  # a head's model; TensorFlow's base models have the prefix, PyTorch's have not
    rename = getattr(tf_model, "tf_to_pt_weight_rename", None)
    by_name = {}
    for variable in tf_model.weights:
        name, _ = pytorch_name(variable.name, prefix, variable.shape)
        aliases = [name, *(rename(name) if rename is not None else ())]
        aliases += [name.replace(theirs, ours) for theirs, ours in _STATISTICS.items() if name.endswith(theirs)]
        if (
            "/" not in variable.name
        ):  # BART's bias of the logits is called the same in every model that BART is a part of
            within = [each for each in names if each.endswith(f".{name}")]
            aliases += within if len(within) == 1 else []
        by_name[next((alias for alias in aliases if alias in names), name)] = variable
    return by_name


def _check_tied(model: Any, variables: Mapping[str, Any], model_class: str) -> None:
    """Weights that are one in PyTorch must be equal in TensorFlow: its MobileBERT, for one, does not tie its decoder."""
    names = weight_names(model)
    for name, variable in variables.items():
        first = names.get(name, name)
        if first == name or first not in variables:
            continue
        if not np.array_equal(variable.numpy(), variables[first].numpy()):
            raise MismatchedWeightsError(
                f"{_name(variable)} and {_name(variables[first])} differ in the TensorFlow checkpoint; {model_class} of "
                "PyTorch has one weight for both. Export with --framework tf."
            )


def _name(variable: Any) -> str:
    return str(variable.name).removesuffix(":0")
