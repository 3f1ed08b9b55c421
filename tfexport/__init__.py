"""Export Keras/TensorFlow and PyTorch checkpoints to ONNX, prove the files, measure them.

Importing this package loads neither TensorFlow nor PyTorch; each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfexport.lazy import lazily

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tfexport.errors import TfExportError as TfExportError
    from tfexport.features import FeaturesManager as FeaturesManager
    from tfexport.line import ExportResult as ExportResult
    from tfexport.line import export_checkpoint as export_checkpoint
    from tfexport.migration import export as export
    from tfexport.migration import validate_model_outputs as validate_model_outputs
    from tfexport.onnx_config import EXTERNAL_DATA_FORMAT_SIZE_LIMIT as EXTERNAL_DATA_FORMAT_SIZE_LIMIT
    from tfexport.onnx_config import OnnxConfig as OnnxConfig
    from tfexport.onnx_config import ParameterFormat as ParameterFormat
    from tfexport.onnx_config import compute_serialized_parameters_size as compute_serialized_parameters_size
    from tfexport.onnx_config_with_past import OnnxConfigWithPast as OnnxConfigWithPast
    from tfexport.onnx_config_with_past import OnnxSeq2SeqConfigWithPast as OnnxSeq2SeqConfigWithPast
    from tfexport.patching import PatchingSpec as PatchingSpec

_HOMES = {
    # The whole line
    "export_checkpoint": "line",
    "ExportResult": "line",
    "TfExportError": "errors",
    # The API of transformers.onnx
    "OnnxConfig": "onnx_config",
    "OnnxConfigWithPast": "onnx_config_with_past",
    "OnnxSeq2SeqConfigWithPast": "onnx_config_with_past",
    "PatchingSpec": "patching",
    "ParameterFormat": "onnx_config",
    "EXTERNAL_DATA_FORMAT_SIZE_LIMIT": "onnx_config",
    "compute_serialized_parameters_size": "onnx_config",
    "FeaturesManager": "features",
    "export": "migration",
    "validate_model_outputs": "migration",
}

__all__ = ["__version__", *_HOMES]


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
