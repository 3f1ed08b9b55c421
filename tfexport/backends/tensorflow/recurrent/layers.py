"""A recurrent layer as one operator, with Keras's handling of masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from tfexport.backends.keras.recurrent import Operator, Sequences
from tfexport.backends.tensorflow.emission import emit
from tfexport.backends.tensorflow.recurrent.weights import weights_of

_MADE = "_tfexport_recurrent_weights"
"""Attribute of a graph that holds cells and their weights in ONNX's order."""


def run_operator(operator: Operator, sequences: Sequences) -> tuple[Any, Any, list[Any]]:
    """Run a cell over sequences.

    Returns:
        The last output, all outputs and the last states, as Keras's own loops return them.
    """
    sequences = replace(sequences, states=[tf.convert_to_tensor(state) for state in sequences.states])
    inputs = sequences.inputs if sequences.time_major else _swapped(sequences.inputs)
    if sequences.mask is None:
        outputs, states = _emitted(operator, inputs, sequences.states, backwards=sequences.go_backwards)
        last = states[0]
        if sequences.go_backwards:
            outputs = tf.reverse(outputs, [0])
    else:
        mask = sequences.mask if sequences.time_major else tf.transpose(sequences.mask)
        last, outputs, states = _masked(operator, inputs, tf.cast(mask, tf.bool), sequences)
    return last, outputs if sequences.time_major else _swapped(outputs), states


def _masked(operator: Operator, inputs: Any, mask: Any, sequences: Sequences) -> tuple[Any, Any, list[Any]]:
    """Run an operator with any mask: move the unmasked steps to the front, and their outputs back to the steps' places.

    A masked step does not change the states, so only the order of the unmasked steps matters. Its output is that of the last
    unmasked step before it, or zeros where there is none.

    Args:
        operator: The operator.
        inputs: ``(time, batch, features)``.
        mask: ``(time, batch)``, true for unmasked steps.
        sequences: All other settings of the run.
    """
    if sequences.go_backwards:
        inputs, mask = tf.reverse(inputs, [0]), tf.reverse(mask, [0])
    time = tf.shape(mask)[0]
    counted = tf.cumsum(tf.cast(mask, tf.int32), 0)
    count = counted[-1]
    steps = tf.range(time)[:, tf.newaxis]
    front_first = tf.transpose(tf.argsort(tf.transpose(tf.where(mask, steps, steps + time)), axis=-1))
    outputs, states = _emitted(operator, _rows(inputs, front_first), sequences.states, lengths=tf.maximum(count, 1))
    is_any = (count > 0)[:, tf.newaxis]
    outputs = _rows(outputs, tf.maximum(counted - 1, 0))
    has_output = mask if sequences.zero_output_for_mask else counted > 0
    outputs = tf.where(has_output[:, :, tf.newaxis], outputs, 0.0)
    last = tf.where(has_output[-1][:, tf.newaxis], states[0], 0.0)
    states = [tf.where(is_any, new, old) for new, old in zip(states, sequences.states, strict=True)]
    return last, outputs, states


def _rows(tensor: Any, steps: Any) -> Any:
    """Gather from ``(time, batch, features)``, for each time and row, the features of the step ``(time, batch)``."""
    batch, features = tf.shape(tensor)[1], tensor.shape[2]
    places = steps * batch + tf.range(batch)
    found = tf.gather(tf.reshape(tensor, [-1, features]), tf.reshape(places, [-1]))
    return tf.ensure_shape(tf.reshape(found, tf.shape(tensor)), tensor.shape)


def _emitted(
    operator: Operator, inputs: Any, states: Sequence[Any], *, backwards: bool = False, lengths: Any = None
) -> tuple[Any, list[Any]]:
    """Emit the operator; return outputs ``(time, batch, units)`` in the order of the inputs, and the last states."""
    initial = [None if _is_zero(state) else tf.expand_dims(state, 0) for state in states]
    time, batch = inputs.shape[0], inputs.shape[1]
    state = tf.TensorSpec([1, batch, operator.units], inputs.dtype)
    outputs, *last = emit(
        operator.op_type,
        [inputs, *_weights(operator), lengths, *initial],
        [tf.TensorSpec([time, 1, batch, operator.units], inputs.dtype), *[state] * operator.states],
        direction="reverse" if backwards else "forward",
        **operator.attributes,
    )
    return tf.squeeze(outputs, 1), [tf.squeeze(value, 0) for value in last]


def _weights(operator: Operator) -> Any:
    """Return the weights of an operator, made once per graph, also for a layer that is called twice."""
    graph = tf.compat.v1.get_default_graph()
    made = getattr(graph, _MADE, [])
    for cell, weights in made:
        if cell is operator.cell:
            return weights
    weights = weights_of(operator)
    setattr(graph, _MADE, [*made, (operator.cell, weights)])
    return weights


def _is_zero(tensor: Any) -> bool:
    """Return whether a tensor is known to be all zeros, as are the states that Keras makes. Zeros are the operator's default."""
    op = tensor.op
    while op.type in ("Identity", "Cast"):
        op = op.inputs[0].op
    value = tf.get_static_value(op.inputs[1] if op.type == "Fill" else op.outputs[0])
    return value is not None and not value.any()


def _swapped(tensor: Any) -> Any:
    """Swap the axes of batch and time."""
    return tf.transpose(tensor, [1, 0, 2])
