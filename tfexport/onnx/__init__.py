"""The API of ``transformers.onnx`` 4.57. To migrate, replace ``transformers.onnx`` by ``tfexport.onnx`` in the import.

The modules ``config``, ``convert``, ``features`` and ``utils`` have the same paths, and ``python -m tfexport.onnx`` has the same
arguments. Importing this package loads neither TensorFlow nor PyTorch: each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tfexport.processes.lazy_imports import lazily

if TYPE_CHECKING:
    from tfexport.declarations.onnx_config import EXTERNAL_DATA_FORMAT_SIZE_LIMIT as EXTERNAL_DATA_FORMAT_SIZE_LIMIT
    from tfexport.declarations.onnx_config import OnnxConfig as OnnxConfig
    from tfexport.declarations.onnx_config import ParameterFormat as ParameterFormat
    from tfexport.declarations.onnx_config import (
        compute_serialized_parameters_size as compute_serialized_parameters_size,
    )
    from tfexport.declarations.with_past import OnnxConfigWithPast as OnnxConfigWithPast
    from tfexport.declarations.with_past import OnnxSeq2SeqConfigWithPast as OnnxSeq2SeqConfigWithPast
    from tfexport.onnx.convert import export as export
    from tfexport.onnx.convert import validate_model_outputs as validate_model_outputs
    from tfexport.onnx.features import FeaturesManager as FeaturesManager
    from tfexport.processes.patching import PatchingSpec as PatchingSpec

_HOMES = {
    "EXTERNAL_DATA_FORMAT_SIZE_LIMIT": "declarations.onnx_config",
    "OnnxConfig": "declarations.onnx_config",
    "OnnxConfigWithPast": "declarations.with_past",
    "OnnxSeq2SeqConfigWithPast": "declarations.with_past",
    "ParameterFormat": "declarations.onnx_config",
    "compute_serialized_parameters_size": "declarations.onnx_config",
    "PatchingSpec": "processes.patching",
    "export": "onnx.convert",
    "validate_model_outputs": "onnx.convert",
    "FeaturesManager": "onnx.features",
}

_MODULES = ("config", "convert", "features", "utils")

__all__ = list(_HOMES)

_find = lazily("tfexport", _HOMES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _find(name)


def __dir__() -> list[str]:
    return sorted((*__all__, *_MODULES))
