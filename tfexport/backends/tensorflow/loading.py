"""Loading of a checkpoint into a TensorFlow class of transformers."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from tfexport.backends.base import LoadedModel
from tfexport.backends.loading import check_loadable, from_pretrained_options, readable_errors
from tfexport.backends.model_size import check_size
from tfexport.backends.variable_names import variable_name
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import FrameworkChoice
from tfexport.checkpoints.transformers_api import load_pretrained, pytorch_name


def load_model(checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice) -> LoadedModel:
    """Load a checkpoint. PyTorch weights are converted if it holds no others.

    Raises:
        CheckpointError: The weights cannot be read or do not fit the model.
    """
    check_loadable(checkpoint)
    check_size(checkpoint, choice)
    options = from_pretrained_options(checkpoint, choice)
    config = copy.deepcopy(checkpoint.config)
    if not hasattr(config, "initializer_range") and hasattr(config, "init_std"):
        # TFXLM's and TFFlaubert's multiple-choice heads read a name that their configurations lack (4.57.6).
        config.initializer_range = config.init_std
    vision = getattr(config, "vision_config", None)
    if vision is not None and not hasattr(vision, "num_channels"):
        vision.num_channels = 3  # TFBlip's models read a name that BlipVisionConfig lacks, and have weights for three
    with readable_errors(checkpoint, model_class):
        model, report = load_pretrained(
            model_class,
            checkpoint.location,
            config=config,
            output_loading_info=True,
            from_pt=choice.weights == "pt",
            **options,
        )
    known = _names(model)
    missing = frozenset(_missing_variables(model, report["missing_keys"]))
    return LoadedModel(model, model_class, missing, made_later=lambda: _names(model) - known)


def _names(model: Any) -> frozenset[str]:
    return frozenset(variable_name(variable, model.name) for variable in model.weights)


def _missing_variables(model: Any, missing: Iterable[str]) -> Iterable[str]:
    """Return the names, in graphs, of the variables that a loading report lists as missing.

    The report names a layer or a variable without the model's own name (HDF5 and TensorFlow safetensors), or the PyTorch
    parameter that corresponds to a variable.
    """
    reported = set(missing)
    if not reported:
        return
    for variable in model.weights:
        name = variable.name
        own = name.split("/", 1)[-1]
        candidates = {name, own, own.split("/", 1)[0], *_pytorch_names(model, variable)}
        if not candidates.isdisjoint(reported):
            yield variable_name(variable, model.name)


def _pytorch_names(model: Any, variable: Any) -> Iterable[str]:
    name, _ = pytorch_name(variable.name, shape=variable.shape)
    rename = getattr(model, "tf_to_pt_weight_rename", None)
    for alias in rename(name) if rename is not None else (name,):
        yield alias
        yield alias.removeprefix(f"{model.base_model_prefix}.")
