"""Errors of torch's tracing and conversion, as one typed, readable error."""

from __future__ import annotations

import io
import logging
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from torch.onnx.errors import OnnxExporterError, UnsupportedOperatorError

from tfexport.errors import ConversionError, OpsetError, TfExportError, TracingError, UnsupportedOpError
from tfexport.processes.locks import PROCESS_LOCK

_LONGEST_MESSAGE = 300
_QUOTED_OP = re.compile(r"operator '([^']+)'")
_NEEDS_NEWER_OPSET = ("was added in version", "to a higher opset version")
_UNDISPATCHED_OP = re.compile(r"No ONNX function found for <OpOverload\(op='([^']+)', overload='([^']+)'\)>")


@contextmanager
def torch_errors(exporter: str, model: Any) -> Iterator[None]:
    """Turn an exporter's errors into a `ConversionError`, and keep its warnings, logs and prints off the screen.

    Args:
        exporter: The exporter's name in messages.
        model: The model, whose layers messages name.
    """
    try:
        with _silence():
            yield
    except TfExportError:
        raise
    except OnnxExporterError as error:
        raise _exporter_failed(error, exporter) from error
    except Exception as error:  # the boundary of a model: its code decides what it raises
        where = _in_layer(_running_layer(error, model))
        raise TracingError(f"torch's {exporter} cannot trace the model{where}: {_first_line(error)}") from error


@contextmanager
def _silence() -> Iterator[None]:
    """Keep torch's warnings off the screen: they are about values that a trace fixes, and validation finds those.

    Logging, warnings and streams belong to all threads, so that the block holds the lock of the process.
    """
    with PROCESS_LOCK, warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            warnings.simplefilter("ignore")
            yield
        finally:
            logging.disable(disabled)


def _exporter_failed(error: OnnxExporterError, exporter: str) -> ConversionError:
    causes = list(_causes(error))
    root = causes[-1]
    layer = _converted_layer(causes)
    if any(sign in str(root) for sign in _NEEDS_NEWER_OPSET):
        return OpsetError(
            f"torch's {exporter} needs a higher opset{_in_layer(layer)}: {_first_line(root)}. Pass a higher --opset (opset=...)."
        )
    ops = [op for cause in causes if (op := _unsupported_op(cause))]
    if ops:
        return UnsupportedOpError([(ops[0], layer or "the model")], converter=f"torch's {exporter}")
    return ConversionError(f"torch's {exporter} failed{_in_layer(layer)}: {_first_line(root)}")


def _unsupported_op(error: BaseException) -> str | None:
    if isinstance(error, UnsupportedOperatorError):
        quoted = _QUOTED_OP.search(str(error))
        return quoted[1] if quoted else str(error)
    undispatched = _UNDISPATCHED_OP.search(str(error))
    return f"{undispatched[1]}.{undispatched[2]}" if undispatched else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def _first_line(error: BaseException) -> str:
    """Return the class of an error, and the first line of its text that is not blank."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:_LONGEST_MESSAGE] if lines else 'no message'}"


def _in_layer(layer: str | None) -> str:
    return f" in {layer}" if layer else ""


def _running_layer(error: BaseException, model: Any) -> str | None:
    """Return the innermost layer of the model that was running when an error was raised."""
    names = {id(module): name for name, module in model.named_modules() if name}
    running = [names.get(id(frame.f_locals.get("self"))) for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((name for name in reversed(running) if name), None)


def _converted_layer(causes: list[BaseException]) -> str | None:
    """Return the layer of the node that was being converted: torch's messages do not name it, but its frames hold the node."""
    for error in reversed(causes):
        for frame, _ in traceback.walk_tb(error.__traceback__):
            node: Any = frame.f_locals.get("node")
            if hasattr(node, "scopeName"):  # TorchScript: "Wrapper::/Model::model/Layer::encoder.layer.0"
                scope = [part.rpartition("::")[2] for part in str(node.scopeName()).split("/")]
                return ".".join(part for part in scope[2:] if part) or None
            stack = getattr(node, "meta", {}).get("nn_module_stack") if hasattr(node, "meta") else None
            if stack:  # torch.export: {key: ("model.encoder.layer.0", class)}
                return str(list(stack.values())[-1][0]).removeprefix("model.") or None
    return None
