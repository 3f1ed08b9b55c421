"""Functions of NumPy arrays that are probed like models, and what the tests of probing share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfexport.checkpoints.signature import TensorSpec, signature_options
from tfexport.declarations.from_signature import SignatureConfig
from tfexport.declarations.probing import declare
from tfexport.errors import TracingError

Arrays = Mapping[str, np.ndarray]
IMAGE = TensorSpec("image", "float32", (None, None, None, 3))
IDS = TensorSpec("token_ids", "int32", (None, None))
MASK = TensorSpec("padding_mask", "int32", (None, None))
FIXED = TensorSpec("x", "float32", (None, 8))


def declared(specs: list[TensorSpec], run: Callable[[Arrays], Any], **options: Any) -> SignatureConfig:
    """The declaration of a function that returns arrays by name, or one array."""

    def called(arrays: Arrays) -> Arrays:
        for spec in specs:
            fixed = [(own, asked) for own, asked in zip(spec.shape, arrays[spec.name].shape, strict=True) if own]
            assert all(own == asked for own, asked in fixed) and arrays[spec.name].dtype == spec.dtype
        try:
            outputs = run(arrays)
        except (ValueError, IndexError) as error:
            raise TracingError(f"it fails: {error}") from error
        return outputs if isinstance(outputs, dict) else {"output": outputs}

    return declare(specs, called, signature_options(**options), "the model")


def pooled(images: np.ndarray, unit: int) -> np.ndarray:
    """Means of squares: fails where the image is not made of whole ones, as reshaping does."""
    batch, height, width, channels = images.shape
    means: np.ndarray = images.reshape(batch, height // unit, unit, width // unit, unit, channels).mean((2, 4))
    return means


def lengths_of(config: SignatureConfig, label: str) -> set[int]:
    return {lengths[label] for lengths in config._lengths_}
