"""What torch raises while it traces and converts, as one typed, readable error."""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.onnx.errors import OnnxExporterError, UnsupportedOperatorError

from tfexport.errors import ConversionError, OpsetError, TfExportError, TracingError, UnsupportedOpError

_LONGEST_MESSAGE = 300
_QUOTED_OP = re.compile(r"operator '([^']+)'")
_NEEDS_OPSET = re.compile(r"(?:added in version|higher opset version)\D*(\d*)")
_DISPATCHED_OP = re.compile(r"No ONNX function found for <OpOverload\(op='([^']+)', overload='([^']+)'\)>")
_TRACING_ERRORS = (
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    ArithmeticError,
)


@contextmanager
def torch_errors(exporter: str, model: Any) -> Iterator[None]:
    """Turn what an exporter raises into a `ConversionError`, and keep its warnings off the screen.

    Args:
        exporter: how messages call it.
        model: the model, whose layers messages name.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except TfExportError:
        raise
    except UnsupportedOperatorError as error:
        raise _unsupported(error, exporter) from error
    except OnnxExporterError as error:
        raise _exporter_failed(error, exporter, model) from error
    except _TRACING_ERRORS as error:
        raise TracingError(
            f"torch's {exporter} cannot trace the model{_layer(error, model)}: {_line(error)}"
        ) from error


def _unsupported(error: UnsupportedOperatorError, exporter: str) -> ConversionError:
    message = str(error)
    if "added in version" in message:
        return OpsetError(f"torch's {exporter}: {_line(error)}.")
    op = _QUOTED_OP.search(message)
    return UnsupportedOpError([(op[1] if op else message, _scope(error))], converter=f"torch's {exporter}")


def _exporter_failed(error: OnnxExporterError, exporter: str, model: Any) -> ConversionError:
    causes = list(_causes(error))
    for cause in causes:
        op = _DISPATCHED_OP.search(str(cause))
        if op is not None:
            return UnsupportedOpError(
                [(f"{op[1]}.{op[2]}", _layer(error, model).strip() or "the model")], converter=f"torch's {exporter}"
            )
    root = causes[-1]
    if type(error).__name__ == "TorchExportError":
        return TracingError(f"torch's {exporter} cannot trace the model{_layer(root, model)}: {_line(root)}")
    return ConversionError(f"torch's {exporter} failed: {_line(root)}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def _line(error: BaseException) -> str:
    """The first line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[0] if lines else "no message"
    return f"{type(error).__name__}: {line[:_LONGEST_MESSAGE]}"


def _layer(error: BaseException, model: Any) -> str:
    """The innermost layer of the model that was running."""
    names = {id(module): name for name, module in model.named_modules() if name}
    running = [names.get(id(frame.f_locals.get("self"))) for frame, _ in traceback.walk_tb(error.__traceback__)]
    found = [name for name in running if name]
    return f" in {found[-1]}" if found else ""


def _scope(error: BaseException) -> str:
    """The layer of the TorchScript node that was being converted: ``bert.encoder.layer.0``."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        scope = getattr(frame.f_locals.get("node"), "scopeName", None)
        if callable(scope):
            parts = [part.rpartition("::")[2] for part in str(scope()).split("/")]
            return ".".join(part for part in parts[2:] if part) or "the model"
    return "the model"
