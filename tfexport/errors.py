"""Every error that tfexport raises on purpose.

    TfExportError
    ├── CheckpointError             a file or folder of a checkpoint cannot be used
    │   ├── CheckpointNotFoundError     a folder, a configuration or the weights are missing (also a FileNotFoundError)
    │   ├── CorruptCheckpointError      a file is truncated, or is not of the kind that its name says
    │   ├── WeightsOnlyError            a Keras file holds weights and not the model
    │   ├── UntrustedCodeError          loading the model would run code, and the user did not pass --trust
    │   ├── MissingWeightsError         the exported graph reads weights that the checkpoint does not hold
    │   └── MismatchedWeightsError      a weight of the checkpoint does not have the model's shape (also a ValueError)
    ├── FrameworkError              the framework that was requested or found cannot be used
    │   ├── UnknownFrameworkError       the name is not "pt" or "tf" (also a ValueError)
    │   └── FrameworkNotInstalledError  the framework, or its converter, is not installed (also an ImportError)
    ├── RuntimeNotInstalledError    ONNX Runtime is not installed (also an ImportError)
    ├── TransformersNotInstalledError  transformers or huggingface_hub is not installed (also an ImportError)
    ├── UnsupportedError            tfexport lacks a declaration for this model
    │   ├── UnsupportedModelTypeError   the model type is not declared (also a KeyError)
    │   ├── UnsupportedFeatureError     the feature is not declared for this model type or framework (also a ValueError)
    │   └── UnsupportedCheckpointError  no backend loads this kind of checkpoint yet
    ├── InputsError                 an option is not valid, or dummy inputs cannot be made (also a ValueError)
    ├── ConversionError             the framework's graph could not be converted to a valid ONNX graph
    │   ├── TracingError                the framework could not trace the model
    │   ├── UnsupportedOpError          an op lacks an ONNX mapping; the message names the op and the layer
    │   ├── ContractError               names, order, dtypes or axes differ from the declaration
    │   └── OpsetError                  the requested opset cannot be written (also a ValueError)
    ├── ValidationError             the ONNX file disagrees with its source (also a ValueError)
    ├── BenchmarkError              a measurement cannot be made
    │   ├── UnknownEngineError          the engine does not exist (also a ValueError)
    │   ├── EngineNotInstalledError     the package of an engine is not installed (also an ImportError)
    │   ├── ProviderError               the requested execution provider is not available
    │   │   └── PlacementError              another provider would compute part of the model
    │   ├── CellError                   one measurement failed, or its process died
    │   └── ResultsError                a file is not a results file of this version (also a ValueError)
    ├── UnreadableFileError         a file that was named, or lies in a checkpoint, cannot be read or does not have its form
    ├── ProcessError                work in a child process failed, or the process died
    │   └── ProcessNotStartedError      the system does not start a child process
    └── OutputError                 the directory cannot be written or published (also an OSError)
        └── OutputExistsError           the target holds files that no earlier export wrote

Where ``transformers.onnx`` raised an error for the same cause, the second base class is the class of that error. An ``except``
clause that was written for it still works.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfexport.text import printable, shortened

LONGEST_MESSAGE = 2500
"""Characters of a message; the longest that we write has some 800."""
TRANSFORMERS_EXTRA = "tfexport[transformers]"
"""Name to install for checkpoints of transformers."""


class TfExportError(Exception):
    """The root of all errors that are raised on purpose; `str(error)` is the whole message for the user."""

    def __str__(self) -> str:
        # The method of KeyError returns the repr of its argument. The message may quote names and errors of a hostile file.
        return shortened(printable(str(self.args[0])), LONGEST_MESSAGE) if self.args else ""


class CheckpointError(TfExportError):
    """A file or folder of a checkpoint cannot be used."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """A folder does not exist, or it lacks a configuration or weights."""


class CorruptCheckpointError(CheckpointError):
    """A file is truncated, or is not of the kind that its name says."""


class WeightsOnlyError(CheckpointError):
    """A Keras file holds weights and not the model."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"{source} only holds weights, and a whole model is expected. Build the model with its own code, and export it "
            f"in Python: model = ...; model.load_weights({source!r}); tfexport.export_model(model, 'OUTPUT')."
        )


class UntrustedCodeError(CheckpointError):
    """Loading the model would run code, and the user did not pass `--trust` (``trust=True``)."""


class MissingWeightsError(CheckpointError):
    """The exported graph reads weights that the checkpoint does not hold.

    Attributes:
        names: Names of the weights, in the framework that loaded the model.
    """

    def __init__(self, names: Iterable[str], *, model_class: str, source: str) -> None:
        self.names = tuple(names)
        super().__init__(
            f"{source} lacks {len(self.names)} weight(s) that {model_class} needs, so they would be random: "
            f"{abbreviate(self.names)}. Export another feature, name a checkpoint that holds them, or pass "
            "--allow-missing-weights (allow_missing_weights=True) to export them as they were initialised."
        )


class MismatchedWeightsError(CheckpointError, ValueError):
    """A weight of the checkpoint does not have the shape that the model expects."""


class FrameworkError(TfExportError):
    """The framework that was requested or found cannot be used."""


class UnknownFrameworkError(FrameworkError, ValueError):
    """The name is not that of a framework that tfexport knows: ``"pt"`` or ``"tf"``."""


class FrameworkNotInstalledError(FrameworkError, ImportError):
    """The framework, or the converter that belongs to it, is not installed."""


class RuntimeNotInstalledError(TfExportError, ImportError):
    """ONNX Runtime, which runs and validates the files, is not installed."""


class TransformersNotInstalledError(TfExportError, ImportError):
    """transformers or huggingface_hub, which read checkpoints of transformers, is not installed."""

    def __init__(self, package: str, need: str) -> None:
        super().__init__(
            f"{need} {package}, which is not installed. Install {TRANSFORMERS_EXTRA} (the packages transformers and "
            "huggingface-hub)."
        )


class UnsupportedError(TfExportError):
    """tfexport lacks a declaration for the requested model."""


class UnsupportedModelTypeError(UnsupportedError, KeyError):
    """The model type is not declared."""


class UnsupportedFeatureError(UnsupportedError, ValueError):
    """The feature does not exist, or is not declared for this model type or framework."""


class UnsupportedCheckpointError(UnsupportedError):
    """No backend loads this kind of checkpoint yet."""


class InputsError(TfExportError, ValueError):
    """An option is not valid, or dummy inputs cannot be made or do not fit the declaration."""


class ConversionError(TfExportError):
    """The framework's graph could not be converted to a valid ONNX graph."""


class TracingError(ConversionError):
    """The framework could not trace the model."""


class UnsupportedOpError(ConversionError):
    """An op of the framework lacks an ONNX mapping.

    Attributes:
        ops: Pairs of op type and node name in the framework's graph, one per op without a mapping.
    """

    def __init__(self, ops: Iterable[tuple[str, str]], *, converter: str) -> None:
        self.ops = tuple(ops)
        listed = abbreviate(f"{op} in {node}" for op, node in self.ops)
        super().__init__(
            f"{converter} has no ONNX mapping for {len(self.ops)} op(s) of this model: {listed}. Nothing was written. "
            "Please report the op; until it is mapped, another feature or the other framework may avoid it."
        )


class ContractError(ConversionError):
    """Names, order, dtypes or axes of the graph differ from the declaration."""


class OpsetError(ConversionError, ValueError):
    """The requested opset cannot be written."""


class ValidationError(TfExportError, ValueError):
    """The ONNX file disagrees with its source."""


class BenchmarkError(TfExportError):
    """A measurement cannot be made."""


class UnknownEngineError(BenchmarkError, ValueError):
    """The engine does not exist."""


class EngineNotInstalledError(BenchmarkError, ImportError):
    """The package of an engine is not installed."""


class ProviderError(BenchmarkError):
    """The requested execution provider is not available."""


class PlacementError(ProviderError):
    """A provider other than the requested one would compute part of the model."""


class CellError(BenchmarkError):
    """One measurement failed, or its process died; the message says how."""


class ResultsError(BenchmarkError, ValueError):
    """A file is not a results file, or its version is not known."""


class UnreadableFileError(TfExportError):
    """A file that was named, or lies in a checkpoint, cannot be read, or does not have the form of its kind."""


class ProcessError(TfExportError):
    """Work in a child process failed, or the process died."""


class ProcessNotStartedError(ProcessError):
    """The system does not start a child process, or this Python is embedded in a program that has no interpreter to start."""


class OutputError(TfExportError, OSError):
    """The directory cannot be written or published."""


class OutputExistsError(OutputError):
    """The target holds files that no earlier export wrote."""


def abbreviate(items: Iterable[str], limit: int = 8) -> str:
    """Join the first `limit` items, and add the number of the remaining ones."""
    listed = list(items)
    shown = ", ".join(listed[:limit])
    return shown if len(listed) <= limit else f"{shown} and {len(listed) - limit} more"


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error for a message, or its class where the error has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
