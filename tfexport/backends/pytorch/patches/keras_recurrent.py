"""Recurrent layers of Keras 3 as ONNX's operators.

Keras 3.15 runs a cell in a Python loop, which a trace unrolls: the file then accepts only sequences of the traced length.
A layer that no operator computes is still unrolled, and a note says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

from tfexport.backends.keras.recurrent import Operator, Sequences, operator_of
from tfexport.backends.pytorch.notes import note
from tfexport.backends.pytorch.recurrent import run_operator
from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("keras", ">=3.13,<4")

_CLASSES = (("rnn", "RNN"), ("lstm", "LSTM"), ("gru", "GRU"))


def specs() -> list[PatchingSpec]:
    """Return the patches if Keras's layers are imported."""
    modules = ((sys.modules.get(f"keras.src.layers.rnn.{file}"), name) for file, name in _CLASSES)
    layers = [getattr(module, name) for module, name in modules if module is not None]
    return [PatchingSpec(layer, "inner_loop", _with_operator(layer.inner_loop)) for layer in layers]


def _with_operator(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return an ``inner_loop`` that emits the operator where there is one."""

    def inner_loop(self: Any, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        one_mask = mask[0] if isinstance(mask, list | tuple) else mask
        operator = _operator(self.cell, sequences, one_mask, training)
        if operator is None:
            note(
                f"the layer {self.name} ({type(self).__name__}) has no operator in ONNX and is unrolled under PyTorch: the file "
                "accepts only sequences of one length. Fix that length with --input-shape (input_shapes=...), or leave out "
                "--framework pt: TensorFlow's file has a loop"
            )
            return original(self, sequences, initial_state, mask, training=training)
        return run_operator(operator, Sequences.of_layer(self, sequences, initial_state, one_mask))

    return inner_loop


def _operator(cell: Any, sequences: Any, mask: Any, training: Any) -> Operator | None:
    is_plain = isinstance(sequences, torch.Tensor) and sequences.ndim == 3 and (mask is None or mask.ndim == 2)
    return operator_of(cell) if is_plain and not training and torch.jit.is_tracing() else None
