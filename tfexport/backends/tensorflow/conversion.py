"""Conversion of a graph without weights by tf2onnx, with errors for everything that it fails to convert.

Six things differ from its Python entry points (1.17.0):

1. An op without a mapping is an error. The entry points only log it (``continue_on_error=True``) and write an invalid file.
2. The optimizer passes run in place. Their ``catch_errors`` deep-copies the graph before each pass.
3. ``remove_back_to_back`` is left out: it merges two Reshapes and ignores the zeros that ``reshape_optimizer`` wrote into them.
4. ``remove_identity`` is left out: its time and memory are quadratic (10 of 30 s and 900 of 1000 MiB for 48 layers).
   `tfexport.graph` does this later.
5. The rewriter of LSTM loops is left out: it raises where weights are not constants, as here.
6. The result does not depend on the process (`tfexport.backends.tensorflow.reproducible`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx
import onnx_ir as ir
import tensorflow as tf
from tf2onnx import optimizer, tfonnx

from tfexport.backends.opsets import check_opset
from tfexport.backends.tensorflow.graph_def import WeightlessGraphDef, without_weights
from tfexport.backends.tensorflow.op_handler import LOWEST_OPSET, NOT_SUPPORTED
from tfexport.backends.tensorflow.ops import HANDLERS
from tfexport.backends.tensorflow.reproducible import reproducible
from tfexport.backends.tensorflow.tracing import TracedFunction
from tfexport.backends.tensorflow.transposes import TransposePass
from tfexport.backends.weightless import WeightlessGraph
from tfexport.errors import ConversionError, TfExportError, UnsupportedOpError
from tfexport.processes.patching import PatchingSpec, patched

HIGHEST_OPSET = 18
"""tf2onnx 1.17.0 refuses 19 and above."""

_LEFT_OUT = frozenset({"remove_back_to_back", "remove_identity"})
_REPLACED = {"optimize_transpose": TransposePass}
_FAILED = "Failed to convert node"
_RAISED_BY_TF2ONNX = (
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    AssertionError,
    IndexError,
    RuntimeError,
)
"""tf2onnx 1.17.0 has no error classes of its own: its handlers, rewriters and passes raise these."""


def convert_function(traced: TracedFunction, opset: int, route: str) -> WeightlessGraph:
    """Convert a traced function; its weights stay in the live variables.

    Args:
        traced: The function.
        opset: The opset to write. If it is above 18, the graph is written at 18.
        route: The route's name, for the manifest.

    Raises:
        OpsetError: The opset is below 9, or too low for an op.
        UnsupportedOpError: Tf2onnx has no mapping for an op.
        ConversionError: A handler failed.
    """
    check_opset("the TensorFlow backend", LOWEST_OPSET, opset)
    weightless = without_weights(traced.function, traced.scope)
    proto = _run_tf2onnx(traced, weightless, min(opset, HIGHEST_OPSET))
    return _named(proto, traced, weightless, route)


def _run_tf2onnx(traced: TracedFunction, weightless: WeightlessGraphDef, opset: int) -> onnx.ModelProto:
    present = {node.name for node in weightless.graph_def.node}
    inputs = [f"{name}:0" for name in (*traced.inputs, *weightless.weights) if name in present]
    outputs = [tensor.name for tensor in traced.function.outputs]
    passes = {
        name: _REPLACED.get(name, factory)
        for name, factory in optimizer._get_optimizers().items()
        if name not in _LEFT_OUT
    }
    loops_as_they_are = patched([PatchingSpec(tfonnx, "rewriter_lstm_tf2", _rewrite_nothing)])
    with reproducible():
        with loops_as_they_are, tf.Graph().as_default() as graph:
            tf.import_graph_def(weightless.graph_def, name="")
            with _tf2onnx_errors():
                converted = tfonnx.process_tf_graph(
                    graph, opset=opset, custom_op_handlers=HANDLERS, input_names=inputs, output_names=outputs
                )
        with _tf2onnx_errors():
            optimised = optimizer.optimize_graph(converted, catch_errors=False, optimizers=passes)
            proto: onnx.ModelProto = optimised.make_model("tfexport")
    return proto


def _rewrite_nothing(graph: Any, ops: Any) -> Any:
    return graph.get_nodes()


def _named(
    proto: onnx.ModelProto, traced: TracedFunction, weightless: WeightlessGraphDef, route: str
) -> WeightlessGraph:
    """Rename ``x:0`` to ``x``, ``Identity:0`` to the declared output, and a placeholder to its variable."""
    model = ir.from_proto(proto)
    weights: dict[str, ir.TensorProtocol] = {}
    for value in model.graph.inputs:
        placeholder = str(value.name).removesuffix(":0")
        if placeholder in weightless.weights:
            tensor = weightless.weights[placeholder]
            name = _unique(str(tensor.name), weights)
            weights[name] = tensor
            value.name = name
        else:
            value.name = traced.renamed.get(placeholder, placeholder)
    by_tensor = {tensor.name: name for tensor, name in zip(traced.function.outputs, traced.outputs, strict=True)}
    for value in model.graph.outputs:
        value.name = by_tensor[str(value.name)]
    return WeightlessGraph(ir.to_proto(model), weights, route)


def _unique(name: str, taken: dict[str, ir.TensorProtocol]) -> str:
    count = 1
    unique = name
    while unique in taken:
        unique, count = f"{name}_{count}", count + 1
    return unique


class _LoggedErrors(logging.Handler):
    """The errors that tf2onnx logs.

    Attributes:
        unsupported: Op type and name of each node without a mapping.
        failed: Names of the nodes whose handler failed, and all other messages.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.unsupported: list[tuple[str, str]] = []
        self.failed: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        if record.msg == NOT_SUPPORTED and len(arguments) == 2:
            self.unsupported.append((str(arguments[1]), str(arguments[0])))
        elif str(record.msg).startswith(_FAILED) and arguments:
            self.failed.append(str(arguments[0]))
        elif not str(record.msg).startswith("Unsupported ops"):
            self.failed.append(record.getMessage().splitlines()[0])


@contextmanager
def _tf2onnx_errors() -> Iterator[None]:
    """Turn everything that one call of tf2onnx raises or logs into one typed error."""
    with _logged_errors() as logged:
        try:
            yield
        except TfExportError:
            raise
        except _RAISED_BY_TF2ONNX as error:
            # An op without a mapping often makes a later step fail: then the op is the cause to name.
            raise _conversion_error(logged, f": {type(error).__name__}: {error}") from error
    if logged.unsupported or logged.failed:
        raise _conversion_error(logged)


@contextmanager
def _logged_errors() -> Iterator[_LoggedErrors]:
    """Collect the errors that tf2onnx logs during a block, and show none of its log."""
    logger = logging.getLogger("tf2onnx")
    errors = _LoggedErrors()
    propagate, level = logger.propagate, logger.level
    logger.addHandler(errors)
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    try:
        yield errors
    finally:
        logger.removeHandler(errors)
        logger.propagate, logger.level = propagate, level


def _conversion_error(logged: _LoggedErrors, reason: str = "") -> ConversionError:
    if logged.unsupported:
        return UnsupportedOpError(logged.unsupported, converter="tf2onnx")
    where = f" at {logged.failed[0]}" if logged.failed else ""
    return ConversionError(f"tf2onnx failed{where}{reason}")
