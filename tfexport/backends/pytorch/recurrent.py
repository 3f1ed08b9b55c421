"""Keras's recurrent layers as ONNX's LSTM, GRU and RNN, in a trace of TorchScript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.onnx import symbolic_helper

from tfexport.backends.keras.recurrent import Operator, Sequences


def run_operator(operator: Operator, sequences: Sequences) -> tuple[Any, Any, list[Any]]:
    """Run a cell over sequences, batch before time.

    Returns:
        The last output, all outputs and the last states, as Keras's own loops return them.
    """
    inputs = sequences.inputs.transpose(0, 1)
    if sequences.mask is None:
        outputs, states = _emitted(operator, inputs, sequences.states, backwards=sequences.go_backwards)
        last = states[0]
        if sequences.go_backwards:
            outputs = outputs.flip(0)
    else:
        mask = sequences.mask.bool().transpose(0, 1)
        last, outputs, states = _masked(operator, inputs, mask, sequences)
    return last, outputs.transpose(0, 1), states


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
        inputs, mask = inputs.flip(0), mask.flip(0)
    counted = mask.long().cumsum(0)
    count = counted[-1]
    steps = torch.ones_like(counted).cumsum(0)
    front_first = torch.where(mask, steps, steps + steps[-1]).argsort(0)
    lengths = count.clamp(min=1).int()
    outputs, states = _emitted(operator, _rows(inputs, front_first), sequences.states, lengths=lengths)
    outputs = _rows(outputs, (counted - 1).clamp(min=0))
    has_output = mask if sequences.zero_output_for_mask else counted > 0
    zero = torch.zeros((), dtype=outputs.dtype, device=outputs.device)
    outputs = torch.where(has_output.unsqueeze(-1), outputs, zero)
    last = torch.where(has_output[-1].unsqueeze(-1), states[0], zero)
    is_any = (count > 0).unsqueeze(-1)
    states = [torch.where(is_any, new, old) for new, old in zip(states, sequences.states, strict=True)]
    return last, outputs, states


def _rows(tensor: Any, steps: Any) -> Any:
    """Gather from ``(time, batch, features)``, for each time and row, the features of the step ``(time, batch)``."""
    return tensor.gather(0, steps.unsqueeze(-1).expand(-1, -1, tensor.shape[-1]))


def _emitted(
    operator: Operator, inputs: Any, states: Sequence[Any], *, backwards: bool = False, lengths: Any = None
) -> tuple[Any, list[Any]]:
    """Emit the operator; return outputs ``(time, batch, units)`` in the order of the inputs, and the last states."""
    cell = operator.cell
    weights = [None if each is None else each.value for each in (cell.kernel, cell.recurrent_kernel, cell.bias)]
    made = replace(operator, attributes={**operator.attributes, "direction": "reverse" if backwards else "forward"})
    outputs, *last = _Operator.apply(made, inputs, *weights, lengths, *states)
    return outputs.squeeze(1), [value.squeeze(0) for value in last]


class _Operator(torch.autograd.Function):  # type: ignore[misc]
    """A node of ONNX. In a trace its outputs have the right shapes and are zeros, because a trace reads no values."""

    @staticmethod
    def forward(ctx: Any, operator: Operator, inputs: Any, *tensors: Any) -> tuple[Any, ...]:
        """Return zeros with the shapes of the operator's outputs."""
        time, batch, _ = inputs.shape
        states = [inputs.new_zeros(1, batch, operator.units) for _ in range(operator.states)]
        return inputs.new_zeros(time, 1, batch, operator.units), *states

    @staticmethod
    def symbolic(
        g: Any, operator: Operator, inputs: Any, kernel: Any, recurrent: Any, bias: Any, lengths: Any, *states: Any
    ) -> Any:
        """Add the operator, and before it nodes that arrange its weights."""
        values = [
            inputs,
            _kernel(g, operator, kernel),
            _kernel(g, operator, recurrent),
            None if bias is None else _bias(g, operator, bias),
            lengths,
            *(None if _is_zero(state) else _unsqueezed(g, state) for state in states),
        ]
        absent = g.op("prim::Constant")
        absent.setType(torch._C.OptionalType.ofTensor())
        return g.op(
            operator.op_type,
            *(absent if value is None else value for value in values),
            outputs=1 + operator.states,
            **{f"{name}_{_kind(value)}": value for name, value in operator.attributes.items()},
        )


def _kernel(g: Any, operator: Operator, weight: Any) -> Any:
    """Convert ``(inputs, gates)`` to ONNX's ``(1, gates, inputs)``."""
    return _unsqueezed(g, g.op("Transpose", _ordered(g, operator, weight, axis=1), perm_i=[1, 0]))


def _bias(g: Any, operator: Operator, bias: Any) -> Any:
    """Convert ``(gates,)``, or biases of inputs and state ``(2, gates)``, to ONNX's ``(1, 2 * gates)``."""
    if operator.cell.bias.ndim == 2:
        return _unsqueezed(g, g.op("Reshape", _ordered(g, operator, bias, axis=1), _constant(g, [-1])))
    length = int(operator.cell.bias.shape[0])
    return _unsqueezed(g, g.op("Pad", _ordered(g, operator, bias, axis=0), _constant(g, [0, length])))


def _ordered(g: Any, operator: Operator, weight: Any, axis: int) -> Any:
    """Put the gates of a weight in ONNX's order."""
    order = operator.order
    return weight if order is None else g.op("Gather", weight, _constant(g, order), axis_i=axis)


def _unsqueezed(g: Any, value: Any) -> Any:
    """Add a first axis, for the direction."""
    return symbolic_helper._unsqueeze_helper(g, value, [0])


def _constant(g: Any, numbers: Sequence[int]) -> Any:
    return g.op("Constant", value_t=torch.tensor(numbers))


def _is_zero(state: Any) -> bool:
    """Return whether a state is known to be all zeros, as are the states that Keras makes. Zeros are the operator's default."""
    node = state.node()
    while node.kind() in ("onnx::Cast", "onnx::Identity"):
        node = next(node.inputs()).node()
    return bool(node.kind() == "onnx::ConstantOfShape" and not node.t("value").any())


def _kind(value: Any) -> str:
    """Return the suffix by which torch knows the type of an attribute."""
    first = value[0] if isinstance(value, list) else value
    return {int: "i", float: "f", str: "s"}[type(first)]
