"""Loading of a checkpoint into a PyTorch class of transformers."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from tfexport.backends import get_backend
from tfexport.backends.base import LoadedModel
from tfexport.backends.loading import check_loadable, from_pretrained_options, readable_errors
from tfexport.backends.model_size import check_size
from tfexport.backends.pytorch.weights import weight_names
from tfexport.backends.variable_names import variable_name
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import FrameworkChoice
from tfexport.checkpoints.transformers_api import (
    class_named,
    copy_weights_to_pytorch,
    has_class,
    load_pretrained,
    pytorch_name,
    to_pytorch_order,
)
from tfexport.errors import MismatchedWeightsError, UnsupportedFeatureError

_STATISTICS = {"moving_mean": "running_mean", "moving_variance": "running_var"}
"""PyTorch's names of batch normalisation's statistics, by TensorFlow's."""
_COUNTER = "num_batches_tracked"


def load_model(
    checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice, attention: str | None = "eager"
) -> LoadedModel:
    """Load a checkpoint. TensorFlow weights are converted if it holds no others.

    Args:
        checkpoint: The checkpoint.
        model_class: Name of the class of transformers.
        choice: The framework whose weights are loaded.
        attention: Transformers' implementation of attention; None for its default. Exports use eager attention.

    Raises:
        CheckpointError: The weights cannot be read or do not fit the model.
        FrameworkNotInstalledError: TensorFlow, which must convert the weights, is not installed.
        UnsupportedFeatureError: TensorFlow weights must be converted, and TensorFlow has no class for them.
    """
    check_loadable(checkpoint)
    check_size(checkpoint, choice)
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
    config = copy.deepcopy(checkpoint.config)
    with readable_errors(checkpoint, model_class):
        model, report = load_pretrained(
            model_class,
            checkpoint.location,
            config=config,
            attn_implementation=attention,
            output_loading_info=True,
            **options,
        )
    return model, report["missing_keys"]


def _from_tensorflow(
    checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice, attention: str | None
) -> tuple[Any, Iterable[str]]:
    """Load the TensorFlow model and convert it: ``from_tf=True`` of transformers 4.57 fails on torch 2.13's meta device.

    transformers will not fix that: version 5 does not support TensorFlow.
    """
    if not has_class(f"TF{model_class}"):
        raise UnsupportedFeatureError(
            f"{checkpoint.source} holds only TensorFlow weights, and transformers has no class TF{model_class} that reads them. "
            "Use a checkpoint with PyTorch weights, or export another feature (--feature, feature=...)."
        )
    loaded = get_backend("tf").load(checkpoint, f"TF{model_class}", FrameworkChoice("tf", choice.reason, "tf"))
    make, config = class_named(model_class), copy.deepcopy(checkpoint.config)
    config._attn_implementation = attention
    with readable_errors(checkpoint, model_class):
        model = make(config)
        missing = copy_weights_to_pytorch(model, loaded.model)
    variables = _by_pytorch_name(model, loaded.model)
    with readable_errors(checkpoint, model_class):
        left = missing - _convert_what_is_left(model, variables, missing)
    _check_tied(model, variables, model_class)
    scope = loaded.model.name
    absent = {name for name, variable in variables.items() if variable_name(variable, scope) in loaded.missing_weights}
    return model, {*_not_converted(model, left), *absent}


def _convert_what_is_left(model: Any, variables: Mapping[str, Any], reported: Collection[str]) -> set[str]:
    """Convert the weights that transformers 4.57 leaves out, and return their PyTorch names.

    It converts no buffers, not even BART's bias of the logits or the statistics of a batch normalisation, and reports only
    some of them. It maps the names of an encoder-decoder's parts only in the other direction.

    Returns:
        Names in the state dict, with the names of counters that only training reads.
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
    """Return the weights without a TensorFlow variable. The report also lists the second name of each tied weight."""
    missing = set(reported)
    names = weight_names(model)
    converted = {names[name] for name in names if name not in missing}
    return (name for name in missing if names.get(name) not in converted)


def _by_pytorch_name(model: Any, tf_model: Any) -> dict[str, Any]:
    """Return a TensorFlow model's variables, by the PyTorch names of their converted weights."""
    names = set(model.state_dict())
    prefix = f"{model.base_model_prefix}."
    if any(name.startswith(prefix) for name in names):
        prefix = ""  # a model with a head; TensorFlow's base models have the prefix, PyTorch's do not
    rename = getattr(tf_model, "tf_to_pt_weight_rename", None)
    by_name = {}
    for variable in tf_model.weights:
        name, _ = pytorch_name(variable.name, prefix, variable.shape)
        aliases = [name, *(rename(name) if rename is not None else ())]
        aliases += [name.replace(theirs, ours) for theirs, ours in _STATISTICS.items() if name.endswith(theirs)]
        if "/" not in variable.name:
            # BART's bias of the logits has the same name in every model that contains BART.
            within = [each for each in names if each.endswith(f".{name}")]
            aliases += within if len(within) == 1 else []
        by_name[next((alias for alias in aliases if alias in names), name)] = variable
    return by_name


def _check_tied(model: Any, variables: Mapping[str, Any], model_class: str) -> None:
    """Refuse weights that PyTorch ties and that differ in TensorFlow: for example, its MobileBERT does not tie its decoder."""
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
