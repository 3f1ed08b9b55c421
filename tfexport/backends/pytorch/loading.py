"""Load a checkpoint into a PyTorch class of transformers."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import transformers

from tfexport.backends import get_backend
from tfexport.backends.base import LoadedModel
from tfexport.backends.loading import from_pretrained_options, readable_errors
from tfexport.backends.pytorch.weights import weight_names
from tfexport.checkpoint import Checkpoint
from tfexport.framework import FrameworkChoice


def load_model(checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice) -> LoadedModel:
    """Load a checkpoint with eager attention; TensorFlow weights are converted when it holds no others.

    Raises:
        CheckpointError: the weights cannot be read or do not fit the model.
        FrameworkNotInstalledError: TensorFlow, which must convert the weights, is not installed.
    """
    if choice.converts_weights:
        model, missing = _from_tensorflow(checkpoint, model_class, choice)
    else:
        model, missing = _from_pytorch(checkpoint, model_class, choice)
    names = weight_names(model)
    return LoadedModel(model.eval(), model_class, frozenset(names[name] for name in missing if name in names))


def _from_pytorch(checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice) -> tuple[Any, Iterable[str]]:
    options = from_pretrained_options(checkpoint, choice)
    with readable_errors(checkpoint, model_class):
        model, report = getattr(transformers, model_class).from_pretrained(
            checkpoint.location,
            config=copy.deepcopy(checkpoint.config),
            attn_implementation="eager",
            output_loading_info=True,
            **options,
        )
    return model, report["missing_keys"]


def _from_tensorflow(checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice) -> tuple[Any, Iterable[str]]:
    """Through the TensorFlow model: ``from_tf=True`` of transformers 4.57 fails on torch 2.13's meta device.

    Its upstream issue will not be closed: transformers 5 has no TensorFlow.
    """
    from transformers.modeling_tf_pytorch_utils import (  # imports TensorFlow
        convert_tf_weight_name_to_pt_weight_name,
        load_tf2_model_in_pytorch_model,
    )

    loaded = get_backend("tf").load(checkpoint, f"TF{model_class}", FrameworkChoice("tf", choice.reason, "tf"))
    with readable_errors(checkpoint, model_class):
        config = copy.deepcopy(checkpoint.config)
        config._attn_implementation = "eager"
        model = getattr(transformers, model_class)(config)
        _, report = load_tf2_model_in_pytorch_model(
            model, loaded.model, allow_missing_keys=True, output_loading_info=True
        )
        model.tie_weights()
    missing = set(report["missing_keys"])
    for variable in loaded.model.weights:
        if variable.name.removesuffix(":0") in loaded.missing_weights:
            name, _ = convert_tf_weight_name_to_pt_weight_name(variable.name, tf_weight_shape=variable.shape)
            missing.add(name)
    return model, missing
