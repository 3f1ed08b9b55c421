"""Every error that tfexport raises on purpose.

    TfExportError
    ├── CheckpointError             what lies on disk cannot be used
    │   ├── CheckpointNotFoundError     no such folder, no configuration, no weights (also a FileNotFoundError)
    │   ├── CorruptCheckpointError      a file is truncated or is not what its name says
    │   ├── WeightsOnlyError            a Keras file that holds weights and no model
    │   ├── UntrustedCodeError          loading it would run code, and the user did not say that it may
    │   ├── MissingWeightsError         the exported graph reads weights that the checkpoint does not hold
    │   └── MismatchedWeightsError      a weight of the checkpoint has another shape than the model's (also a ValueError)
    ├── FrameworkError              the framework that was asked for or found cannot be used
    │   ├── UnknownFrameworkError       not one of "pt", "tf" (also a ValueError)
    │   └── FrameworkNotInstalledError  the framework, or its converter, is not installed (also an ImportError)
    ├── RuntimeNotInstalledError    ONNX Runtime is not installed (also an ImportError)
    ├── UnsupportedError            tfexport has no declaration for this
    │   ├── UnsupportedModelTypeError   (also a KeyError)
    │   ├── UnsupportedFeatureError     (also a ValueError)
    │   └── UnsupportedCheckpointError  a kind of checkpoint that no backend loads yet
    ├── InputsError                 dummy inputs cannot be made, or do not fit the declaration (also a ValueError)
    ├── ConversionError             the framework's graph could not become a valid ONNX graph
    │   ├── TracingError                the framework could not trace the model
    │   ├── UnsupportedOpError          an op has no ONNX mapping: names the op and the layer
    │   ├── ContractError               names, order, dtypes or axes are not the declaration's
    │   └── OpsetError                  the opset asked for cannot be had (also a ValueError)
    ├── ValidationError             the ONNX file disagrees with its source (also a ValueError)
    ├── BenchmarkError              a measurement cannot be made
    │   ├── UnknownEngineError          no engine of that name (also a ValueError)
    │   ├── EngineNotInstalledError     the package of an engine is not installed (also an ImportError)
    │   ├── ProviderError               the execution provider that was asked for cannot be had
    │   │   └── PlacementError              part of the model would be computed by another one
    │   ├── CellError                   one measurement failed, or its process died
    │   └── ResultsError                a file is no results file, or one of another version (also a ValueError)
    ├── ProcessError                work in a process of its own failed, or the process died
    └── OutputError                 the directory cannot be written or published (also an OSError)
        └── OutputExistsError           the target holds files that are not an earlier export's

The second base class of each error is the class that ``transformers.onnx`` raised for the same cause, so that an
``except`` clause written against it goes on working.
"""

from __future__ import annotations

from collections.abc import Iterable


class TfExportError(Exception):
    """Root of all errors raised on purpose; `str(error)` is the whole message for the user."""

    def __str__(self) -> str:
        # KeyError would show the repr of its argument.
        return str(self.args[0]) if self.args else ""


class CheckpointError(TfExportError):
    """What lies on disk cannot be used."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """No such folder, no configuration in it, or no weights in it."""


class CorruptCheckpointError(CheckpointError):
    """A file is truncated or is not what its name says."""


class WeightsOnlyError(CheckpointError):
    """A Keras file that holds weights and no model."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"{source} holds weights alone, and not the model that they belong to: only the code that built it can build it "
            f"again. In Python: model = ...; model.load_weights({source!r}); tfexport.export_checkpoint(model, 'OUTPUT')."
        )


class UntrustedCodeError(CheckpointError):
    """Loading it would run code, and the user did not say that it may."""


class MissingWeightsError(CheckpointError):
    """The exported graph reads weights that the checkpoint does not hold.

    Attributes:
        names: the weights, under the names of the framework that loaded the model.
    """

    def __init__(self, names: Iterable[str], *, model_class: str, source: str) -> None:
        self.names = tuple(names)
        super().__init__(
            f"{source} lacks {len(self.names)} weight(s) that {model_class} needs, so they would be random: "
            f"{abbreviate(self.names)}. Export another feature, give the checkpoint that holds them, or pass "
            "--allow-missing-weights (allow_missing_weights=True) to export them as they were initialised."
        )


class MismatchedWeightsError(CheckpointError, ValueError):
    """A weight of the checkpoint has another shape than the model's."""


class FrameworkError(TfExportError):
    """The framework that was asked for or found cannot be used."""


class UnknownFrameworkError(FrameworkError, ValueError):
    """Not one of the frameworks that tfexport knows."""


class FrameworkNotInstalledError(FrameworkError, ImportError):
    """The framework, or the converter that goes with it, is not installed."""


class RuntimeNotInstalledError(TfExportError, ImportError):
    """ONNX Runtime, which runs and validates the files, is not installed."""


class UnsupportedError(TfExportError):
    """tfexport has no declaration for what was asked."""


class UnsupportedModelTypeError(UnsupportedError, KeyError):
    """No declaration for this model type."""


class UnsupportedFeatureError(UnsupportedError, ValueError):
    """No such feature, or not for this model type or framework."""


class UnsupportedCheckpointError(UnsupportedError):
    """A kind of checkpoint that no backend loads yet."""


class InputsError(TfExportError, ValueError):
    """Dummy inputs cannot be made, or do not fit the declaration."""


class ConversionError(TfExportError):
    """The framework's graph could not become a valid ONNX graph."""


class TracingError(ConversionError):
    """The framework could not trace the model."""


class UnsupportedOpError(ConversionError):
    """An op of the framework has no ONNX mapping.

    Attributes:
        ops: (op type, name of the node in the framework's graph) of each op without a mapping.
    """

    def __init__(self, ops: Iterable[tuple[str, str]], *, converter: str) -> None:
        self.ops = tuple(ops)
        listed = abbreviate(f"{op} in {node}" for op, node in self.ops)
        super().__init__(
            f"{converter} has no ONNX mapping for {len(self.ops)} op(s) of this model: {listed}. Nothing was written. "
            "Please report the op; until it is mapped, another feature or the other framework may avoid it."
        )


class ContractError(ConversionError):
    """Names, order, dtypes or axes of the graph are not the declaration's."""


class OpsetError(ConversionError, ValueError):
    """The opset asked for cannot be had."""


class ValidationError(TfExportError, ValueError):
    """The ONNX file disagrees with its source."""


class BenchmarkError(TfExportError):
    """A measurement cannot be made."""


class UnknownEngineError(BenchmarkError, ValueError):
    """No engine of that name."""


class EngineNotInstalledError(BenchmarkError, ImportError):
    """The package of an engine is not installed."""


class ProviderError(BenchmarkError):
    """The execution provider that was asked for cannot be had."""


class PlacementError(ProviderError):
    """Part of the model would be computed by another provider than the one that was asked for."""


class CellError(BenchmarkError):
    """One measurement failed, or its process died. The text says how."""


class ResultsError(BenchmarkError, ValueError):
    """A file is no results file, or one of a version that is not known."""


class ProcessError(TfExportError):
    """Work in a process of its own failed, or the process died."""


class OutputError(TfExportError, OSError):
    """The directory cannot be written or published."""


class OutputExistsError(OutputError):
    """The target holds files that are not an earlier export's."""


def abbreviate(items: Iterable[str], limit: int = 8) -> str:
    """Join the first `limit` items, and say how many more there are."""
    listed = list(items)
    shown = ", ".join(listed[:limit])
    return shown if len(listed) <= limit else f"{shown} and {len(listed) - limit} more"


def first_line(error: BaseException) -> str:
    """The first line of an error of a library's, for a message; its class where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
