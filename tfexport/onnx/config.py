"""Declarations under the import path of ``transformers.onnx.config``."""

from tfexport.declarations.onnx_config import (
    DEFAULT_ONNX_OPSET,
    EXTERNAL_DATA_FORMAT_SIZE_LIMIT,
    OnnxConfig,
    ParameterFormat,
    compute_serialized_parameters_size,
)
from tfexport.declarations.with_past import OnnxConfigWithPast, OnnxSeq2SeqConfigWithPast
from tfexport.onnx.utils import compute_effective_axis_dimension
from tfexport.processes.patching import PatchingSpec

__all__ = [
    "DEFAULT_ONNX_OPSET",
    "EXTERNAL_DATA_FORMAT_SIZE_LIMIT",
    "OnnxConfig",
    "OnnxConfigWithPast",
    "OnnxSeq2SeqConfigWithPast",
    "ParameterFormat",
    "PatchingSpec",
    "compute_effective_axis_dimension",
    "compute_serialized_parameters_size",
]
