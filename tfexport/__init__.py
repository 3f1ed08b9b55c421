"""Export Keras/TensorFlow and PyTorch checkpoints to ONNX, prove the files, measure them.

Importing this package loads neither TensorFlow nor PyTorch; each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tfexport.processes.lazy_imports import lazily

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tfexport.checkpoints.framework import FrameworkChoice as FrameworkChoice
    from tfexport.declarations.onnx_config import EXTERNAL_DATA_FORMAT_SIZE_LIMIT as EXTERNAL_DATA_FORMAT_SIZE_LIMIT
    from tfexport.declarations.onnx_config import OnnxConfig as OnnxConfig
    from tfexport.declarations.onnx_config import ParameterFormat as ParameterFormat
    from tfexport.declarations.onnx_config import (
        compute_serialized_parameters_size as compute_serialized_parameters_size,
    )
    from tfexport.declarations.with_past import OnnxConfigWithPast as OnnxConfigWithPast
    from tfexport.declarations.with_past import OnnxSeq2SeqConfigWithPast as OnnxSeq2SeqConfigWithPast
    from tfexport.errors import BenchmarkError as BenchmarkError
    from tfexport.errors import CellError as CellError
    from tfexport.errors import CheckpointError as CheckpointError
    from tfexport.errors import CheckpointNotFoundError as CheckpointNotFoundError
    from tfexport.errors import ContractError as ContractError
    from tfexport.errors import ConversionError as ConversionError
    from tfexport.errors import CorruptCheckpointError as CorruptCheckpointError
    from tfexport.errors import EngineNotInstalledError as EngineNotInstalledError
    from tfexport.errors import FrameworkError as FrameworkError
    from tfexport.errors import FrameworkNotInstalledError as FrameworkNotInstalledError
    from tfexport.errors import InputsError as InputsError
    from tfexport.errors import MismatchedWeightsError as MismatchedWeightsError
    from tfexport.errors import MissingWeightsError as MissingWeightsError
    from tfexport.errors import OpsetError as OpsetError
    from tfexport.errors import OutputError as OutputError
    from tfexport.errors import OutputExistsError as OutputExistsError
    from tfexport.errors import PlacementError as PlacementError
    from tfexport.errors import ProcessError as ProcessError
    from tfexport.errors import ProcessNotStartedError as ProcessNotStartedError
    from tfexport.errors import ProviderError as ProviderError
    from tfexport.errors import ResultsError as ResultsError
    from tfexport.errors import RuntimeNotInstalledError as RuntimeNotInstalledError
    from tfexport.errors import TfExportError as TfExportError
    from tfexport.errors import TracingError as TracingError
    from tfexport.errors import TransformersNotInstalledError as TransformersNotInstalledError
    from tfexport.errors import UnknownEngineError as UnknownEngineError
    from tfexport.errors import UnknownFrameworkError as UnknownFrameworkError
    from tfexport.errors import UnreadableFileError as UnreadableFileError
    from tfexport.errors import UnsupportedCheckpointError as UnsupportedCheckpointError
    from tfexport.errors import UnsupportedError as UnsupportedError
    from tfexport.errors import UnsupportedFeatureError as UnsupportedFeatureError
    from tfexport.errors import UnsupportedModelTypeError as UnsupportedModelTypeError
    from tfexport.errors import UnsupportedOpError as UnsupportedOpError
    from tfexport.errors import UntrustedCodeError as UntrustedCodeError
    from tfexport.errors import ValidationError as ValidationError
    from tfexport.errors import WeightsOnlyError as WeightsOnlyError
    from tfexport.onnx.convert import export as export
    from tfexport.onnx.convert import validate_model_outputs as validate_model_outputs
    from tfexport.onnx.features import FeaturesManager as FeaturesManager
    from tfexport.parity.exported_directory import validate_export as validate_export
    from tfexport.parity.report import ParityReport as ParityReport
    from tfexport.pipeline.export import ExportResult as ExportResult
    from tfexport.pipeline.export import export_checkpoint as export_checkpoint
    from tfexport.pipeline.export import export_model as export_model
    from tfexport.pipeline.options import ExportOptions as ExportOptions
    from tfexport.pipeline.options import export_options as export_options
    from tfexport.processes.patching import PatchingSpec as PatchingSpec
    from tfexport.validation.reports import CaseReport as CaseReport
    from tfexport.validation.reports import GenerationReport as GenerationReport
    from tfexport.validation.reports import OutputReport as OutputReport
    from tfexport.validation.reports import ValidationReport as ValidationReport
    from tfexport.validation.tolerance import Tolerance as Tolerance

_HOMES = {
    "export_model": "pipeline.export",
    "export_checkpoint": "pipeline.export",
    "ExportResult": "pipeline.export",
    "ExportOptions": "pipeline.options",
    "export_options": "pipeline.options",
    "FrameworkChoice": "checkpoints.framework",
    "Tolerance": "validation.tolerance",
    "ValidationReport": "validation.reports",
    "CaseReport": "validation.reports",
    "OutputReport": "validation.reports",
    "GenerationReport": "validation.reports",
    "validate_export": "parity.exported_directory",
    "ParityReport": "parity.report",
    "OnnxConfig": "declarations.onnx_config",
    "OnnxConfigWithPast": "declarations.with_past",
    "OnnxSeq2SeqConfigWithPast": "declarations.with_past",
    "PatchingSpec": "processes.patching",
    "ParameterFormat": "declarations.onnx_config",
    "EXTERNAL_DATA_FORMAT_SIZE_LIMIT": "declarations.onnx_config",
    "compute_serialized_parameters_size": "declarations.onnx_config",
    "FeaturesManager": "onnx.features",
    "export": "onnx.convert",
    "validate_model_outputs": "onnx.convert",
    "TfExportError": "errors",
    "CheckpointError": "errors",
    "CheckpointNotFoundError": "errors",
    "CorruptCheckpointError": "errors",
    "WeightsOnlyError": "errors",
    "UntrustedCodeError": "errors",
    "MissingWeightsError": "errors",
    "MismatchedWeightsError": "errors",
    "FrameworkError": "errors",
    "UnknownFrameworkError": "errors",
    "FrameworkNotInstalledError": "errors",
    "RuntimeNotInstalledError": "errors",
    "TransformersNotInstalledError": "errors",
    "UnsupportedError": "errors",
    "UnsupportedModelTypeError": "errors",
    "UnsupportedFeatureError": "errors",
    "UnreadableFileError": "errors",
    "UnsupportedCheckpointError": "errors",
    "InputsError": "errors",
    "ConversionError": "errors",
    "TracingError": "errors",
    "UnsupportedOpError": "errors",
    "ContractError": "errors",
    "OpsetError": "errors",
    "ValidationError": "errors",
    "BenchmarkError": "errors",
    "UnknownEngineError": "errors",
    "EngineNotInstalledError": "errors",
    "ProviderError": "errors",
    "PlacementError": "errors",
    "CellError": "errors",
    "ResultsError": "errors",
    "ProcessError": "errors",
    "ProcessNotStartedError": "errors",
    "OutputError": "errors",
    "OutputExistsError": "errors",
}

__all__ = ["__version__", *_HOMES]


_find = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    # ``import transformers`` offers ``transformers.onnx`` too.
    return import_module(f"{__name__}.onnx") if name == "onnx" else _find(name)


def __dir__() -> list[str]:
    return sorted(__all__)
