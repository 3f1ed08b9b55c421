"""Longformer's attention for sequences of any length, with any number of global tokens.

The code of transformers 4.57 cannot be traced. It cuts a sequence into overlapping chunks with ``as_strided``, whose
strides are Python numbers, so a trace fixes the length. (Its own ``config.onnx_export`` instead fixes the number of chunks,
in a Python loop.) Whether there are global tokens is a Python condition too; without a global token ONNX Runtime divides
by the zero of an empty Reshape (1.32: the process dies).

Here each block of queries meets the three blocks of keys around it, and keys outside the window are masked. There is
always room for one global token, which is masked when there is none. The result is the same: a sum over the same keys.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.longformer.modeling_longformer"


def specs() -> list[PatchingSpec]:
    """Return the patches if Longformer is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    return [
        PatchingSpec(module.LongformerModel, "_pad_to_window_size", _pad_to_window_size),
        PatchingSpec(module.LongformerSelfAttention, "forward", attention),
    ]


def _pad_to_window_size(
    self: Any,
    input_ids: Any,
    attention_mask: Any,
    token_type_ids: Any,
    position_ids: Any,
    inputs_embeds: Any,
    pad_token_id: int,
) -> tuple[Any, ...]:
    """Always pad, possibly by 0: in transformers a Python condition decides whether to pad, and a trace fixes it."""
    window = self.config.attention_window
    window = window if isinstance(window, int) else max(window)
    batch, length = attention_mask.shape
    padding = (window - length % window) % window

    def pad(tensor: Any, value: int) -> Any:
        return None if tensor is None else torch.nn.functional.pad(tensor, (0, padding), value=value)

    if inputs_embeds is not None:
        padded = self.embeddings(attention_mask.new_full((batch, padding), pad_token_id, dtype=torch.long))
        inputs_embeds = torch.cat([inputs_embeds, padded], dim=-2)
    return (
        padding,
        pad(input_ids, pad_token_id),
        pad(attention_mask, 0),
        pad(token_type_ids, 0),
        pad(position_ids, pad_token_id),
        inputs_embeds,
    )


def attention(
    self: Any,
    hidden_states: Any,
    attention_mask: Any = None,
    layer_head_mask: Any = None,
    is_index_masked: Any = None,
    is_index_global_attn: Any = None,
    is_global_attn: Any = None,
    output_attentions: bool = False,
) -> tuple[Any]:
    """Apply attention as ``LongformerSelfAttention.forward`` does: ``(batch, sequence, hidden)`` to the same shape.

    ``attention_mask`` ``(batch, sequence)`` is negative at padding and positive at global tokens.
    """
    if layer_head_mask is not None or output_attentions:
        raise ValueError(
            "Longformer is exported without head_mask and without attentions: remove them from its declaration."
        )
    query = _heads(self, self.query(hidden_states)) / math.sqrt(self.head_dim)
    key, value = _heads(self, self.key(hidden_states)), _heads(self, self.value(hidden_states))
    width = 3 * self.one_sided_attn_window_size
    tokens, is_used, rank = _global_tokens(is_index_global_attn)
    lowest = torch.finfo(query.dtype).min

    local_scores = _window_scores(query, key, attention_mask != 0, self.one_sided_attn_window_size, lowest)
    global_scores = query @ _pick_heads(key, tokens).transpose(-1, -2)
    global_scores = global_scores.masked_fill(~is_used[:, None, None, :], lowest)
    scores = torch.cat([local_scores, global_scores], dim=-1)
    probs = scores.softmax(dim=-1, dtype=torch.float32).masked_fill(is_index_masked[:, None, :, None], 0.0)
    probs = probs.type_as(scores)
    context = _window_context(probs[..., :width], value, self.one_sided_attn_window_size)
    context = _flat(context + probs[..., width:] @ _pick_heads(value, tokens))

    from_global = _flat(_global_context(self, hidden_states, tokens, is_index_masked, lowest))
    return (torch.where(is_index_global_attn[:, :, None], _pick(from_global, rank), context),)


def _global_context(self: Any, hidden_states: Any, tokens: Any, is_masked: Any, lowest: float) -> Any:
    """Return the context of global tokens ``(batch, heads, global, head_dim)``: they attend to all tokens."""
    query = _heads(self, self.query_global(_pick(hidden_states, tokens))) / math.sqrt(self.head_dim)
    key, value = _heads(self, self.key_global(hidden_states)), _heads(self, self.value_global(hidden_states))
    scores = (query @ key.transpose(-1, -2)).masked_fill(is_masked[:, None, None, :], lowest)
    return scores.softmax(dim=-1, dtype=torch.float32).type_as(scores) @ value


def _global_tokens(is_global: Any) -> tuple[Any, Any, Any]:
    """Return positions of the global tokens ``(batch, global)``, which of them are real, and each token's index in them."""
    length = is_global.shape[1]
    count = is_global.long().sum(dim=1)
    room = count.max().clamp(min=1)
    first_is_highest = is_global.long() * torch.arange(length, 0, -1, device=is_global.device)
    tokens = first_is_highest.topk(length, dim=1).indices[:, :room]
    is_used = torch.arange(tokens.shape[1], device=is_global.device) < count[:, None]
    rank = (is_global.long().cumsum(dim=1) - 1).clamp(min=0)
    return tokens, is_used, rank


def _window_scores(query: Any, key: Any, is_excluded: Any, window: int, lowest: float) -> Any:
    """Return scores of the keys in the three blocks around each query ``(batch, heads, sequence, 3 * window)``."""
    batch, heads, length, head_dim = query.shape
    scores = query.reshape(batch, heads, -1, window, head_dim) @ _three_blocks(key, window).transpose(-1, -2)
    # Padding of the blocks is excluded like the padding of the sequence.
    excluded = torch.nn.functional.pad(is_excluded.long(), (window, window), value=1)[:, None, :, None]
    excluded = _blocks(excluded, window).squeeze(-1).bool()[:, :, :, None, :]
    offset = torch.arange(3 * window)[None, :] - torch.arange(window)[:, None]
    outside = (offset < 0) | (offset > 2 * window)
    scores = scores.masked_fill(excluded | outside.to(query.device), lowest)
    return scores.reshape(batch, heads, length, 3 * window)


def _window_context(probs: Any, value: Any, window: int) -> Any:
    batch, heads, length, head_dim = value.shape
    context = probs.reshape(batch, heads, -1, window, 3 * window) @ _three_blocks(value, window)
    return context.reshape(batch, heads, length, head_dim)


def _three_blocks(states: Any, window: int) -> Any:
    """Return each block of a sequence with its two neighbours ``(batch, heads, blocks, 3 * window, head_dim)``."""
    return _blocks(torch.nn.functional.pad(states, (0, 0, window, window)), window)


def _blocks(padded: Any, window: int) -> Any:
    batch, heads, _, width = padded.shape
    blocks = padded.reshape(batch, heads, -1, window, width)
    return torch.cat([blocks[:, :, :-2], blocks[:, :, 1:-1], blocks[:, :, 2:]], dim=3)


def _heads(self: Any, states: Any) -> Any:
    batch, length, _ = states.shape  # not `unflatten`: TorchScript fixes its result to the traced length
    return states.view(batch, length, self.num_heads, self.head_dim).transpose(1, 2)


def _flat(states: Any) -> Any:
    return states.transpose(1, 2).flatten(2)


def _pick(states: Any, tokens: Any) -> Any:
    return states.gather(1, tokens[:, :, None].expand(-1, -1, states.shape[-1]))


def _pick_heads(states: Any, tokens: Any) -> Any:
    index = tokens[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[-1])
    return states.gather(2, index)
