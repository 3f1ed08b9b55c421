"""Longformer's attention for sequences of any length.

transformers 4.57 cuts a sequence into overlapping chunks with ``as_strided``, whose strides are Python numbers: a
trace fixes them, and with them the length. Its own ``config.onnx_export`` fixes the number of chunks instead, in a
Python loop. Overlapping chunks are neighbouring blocks side by side, and that is how they are made here.
"""

from __future__ import annotations

from typing import Any

import torch

from tfexport.onnx_config import PatchingSpec


def specs(module: Any) -> list[PatchingSpec]:
    """The patches of ``transformers.models.longformer.modeling_longformer``."""
    attention = module.LongformerSelfAttention
    return [
        PatchingSpec(attention, "_chunk", _chunk, op_wrapper=staticmethod),
        PatchingSpec(attention, "_sliding_chunks_matmul_attn_probs_value", _sliding_chunks_matmul_attn_probs_value),
        PatchingSpec(module.LongformerModel, "_pad_to_window_size", _pad_to_window_size),
    ]


def _overlapping(hidden_states: Any, block: int, blocks_a_chunk: int) -> Any:
    """``(rows, length, width)`` to ``(rows, chunks, blocks_a_chunk * block, width)``; a chunk starts at each block."""
    rows, length, width = hidden_states.shape
    blocks = hidden_states.reshape(rows, -1, block, width)
    last = length // block - blocks_a_chunk + 1
    return torch.cat([blocks[:, first : last + first] for first in range(blocks_a_chunk)], dim=2)


def _chunk(hidden_states: Any, window_overlap: int, onnx_export: bool = False) -> Any:
    return _overlapping(hidden_states, window_overlap, 2)


def _sliding_chunks_matmul_attn_probs_value(self: Any, attn_probs: Any, value: Any, window_overlap: int) -> Any:
    batch_size, seq_len, num_heads, head_dim = value.shape
    probs = attn_probs.transpose(1, 2).reshape(batch_size * num_heads, -1, window_overlap, 2 * window_overlap + 1)
    value = value.transpose(1, 2).reshape(batch_size * num_heads, seq_len, head_dim)
    padded_value = torch.nn.functional.pad(value, (0, 0, window_overlap, window_overlap), value=-1)
    context = torch.matmul(self._pad_and_diagonalize(probs), _overlapping(padded_value, window_overlap, 3))
    return context.view(batch_size, num_heads, seq_len, head_dim).transpose(1, 2)


def _pad_to_window_size(
    self: Any,
    input_ids: Any,
    attention_mask: Any,
    token_type_ids: Any,
    position_ids: Any,
    inputs_embeds: Any,
    pad_token_id: int,
) -> tuple[Any, ...]:
    """Always pad, by nothing if need be: whether to pad is a Python condition, which a trace fixes."""
    window = self.config.attention_window
    window = window if isinstance(window, int) else max(window)
    padding = (window - input_ids.shape[1] % window) % window

    def pad(tensor: Any, value: int) -> Any:
        return None if tensor is None else torch.nn.functional.pad(tensor, (0, padding), value=value)

    return (
        padding,
        pad(input_ids, pad_token_id),
        pad(attention_mask, 0),
        pad(token_type_ids, 0),
        pad(position_ids, pad_token_id),
        inputs_embeds,
    )
