"""Helpers under the import path of ``transformers.onnx.utils``."""

from __future__ import annotations

from typing import Any

from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.preprocessor import load_preprocessor
from tfexport.declarations.onnx_config import ParameterFormat, compute_serialized_parameters_size

__all__ = [
    "ParameterFormat",
    "compute_effective_axis_dimension",
    "compute_serialized_parameters_size",
    "get_preprocessor",
]


def compute_effective_axis_dimension(dimension: int, fixed_dimension: int, num_token_to_add: int = 0) -> int:
    """Return the length of an axis of dummy inputs, without the special tokens that a tokenizer adds.

    Args:
        dimension: the requested length; zero or less for a dynamic axis.
        fixed_dimension: the length of a dynamic axis.
        num_token_to_add: the number of special tokens.
    """
    return (dimension if dimension > 0 else fixed_dimension) - num_token_to_add


def get_preprocessor(model_name: str) -> Any:
    """Load the preprocessor of a checkpoint: a processor, else a tokenizer, an image processor or a feature extractor.

    Args:
        model_name: a checkpoint folder or a hub id.

    Returns:
        The preprocessor; None when the checkpoint has none that loads.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    return load_preprocessor(open_checkpoint(model_name)).value
