"""Funnel Transformer's pooling, decided while tracing.

transformers 4.57 asks in Python whether a row is long enough for a block to pool, and whether there are as many queries
as keys. Traced with a dynamic length, both become conditionals whose branches differ in shape. Here every block except
the first pools, as it does for every row that the declaration allows (`FunnelOnnxConfig._shortest_sequence_`; PyTorch's
Funnel refuses shorter rows), and slices choose the positions. Paper: arXiv:2006.03236, sections 2.2 and A.2.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.funnel.modeling_tf_funnel"


def specs() -> list[PatchingSpec]:
    """Return the patches if Funnel is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    attention = module.TFFunnelRelMultiheadAttention
    original = attention.relative_positional_attention

    def scores(self: Any, position_embeds: Any, q_head: Any, context_len: Any, cls_mask: Any = None) -> Any:
        if self.attention_type == "factorized":
            return original(self, position_embeds, q_head, context_len, cls_mask)
        return _position_scores(self, position_embeds, q_head, context_len, cls_mask)

    return [
        PatchingSpec(module.TFFunnelEncoder, "call", _encode),
        PatchingSpec(attention, "relative_positional_attention", scores),
    ]


def _encode(
    self: Any,
    inputs_embeds: Any,
    attention_mask: Any = None,
    token_type_ids: Any = None,
    output_attentions: bool = False,
    output_hidden_states: bool = False,
    return_dict: bool = True,
    training: bool = False,
) -> Any:
    """Return the last hidden states ``(batch, pooled sequence, d_model)`` in a ``TFBaseModelOutput`` or a tuple.

    Args:
        self: A ``TFFunnelEncoder``.
        inputs_embeds: ``(batch, sequence, d_model)``.
        attention_mask: ``(batch, sequence)``.
        token_type_ids: ``(batch, sequence)``.
        output_attentions: Whether to return the attention of each layer.
        output_hidden_states: Whether to return the states of each layer.
        return_dict: Whether to return a ``TFBaseModelOutput``, else a tuple.
        training: Whether dropout is active.
    """
    structure = self.attention_structure
    context = structure.init_attention_inputs(
        inputs_embeds, attention_mask=attention_mask, token_type_ids=token_type_ids, training=training
    )
    hidden = inputs_embeds
    states, attentions = [hidden], []
    for index, block in enumerate(self.blocks):
        layers = [layer for layer in block for _ in range(self.block_repeats[index])]
        for place, layer in enumerate(layers):
            pools = index > 0 and place == 0
            query = key = hidden
            if pools:
                query, context = structure.pre_attention_pooling(hidden, context)
                key = hidden if self.pool_q_only else query
            made = layer(query, key, key, context, output_attentions=output_attentions, training=training)
            if pools:
                context = structure.post_attention_pooling(context)
            hidden = made[0]
            states.append(hidden)
            attentions.extend(made[1:])
    output = sys.modules[_MODULE].TFBaseModelOutput(
        last_hidden_state=hidden,
        hidden_states=tuple(states) if output_hidden_states else None,
        attentions=tuple(attentions) if output_attentions else None,
    )
    return output if return_dict else output.to_tuple()


def _position_scores(self: Any, position_embeds: Any, q_head: Any, context_len: Any, cls_mask: Any) -> Any:
    """Return the scores by distance ``(batch, heads, queries, keys)`` of the relative shift attention.

    Args:
        self: A ``TFFunnelRelMultiheadAttention``.
        position_embeds: Two embeddings of distances ``(distances, d_model)`` per block: between tokens of this block,
            and between its pooled tokens and the tokens of the block before.
        q_head: ``(batch, queries, heads, head size)``, scaled.
        context_len: Number of keys.
        cls_mask: ``(queries, keys)``, 0 where the query or the key is the class token.
    """
    within, across = position_embeds[self.block_index]
    if self.block_index == 0:
        embeddings, shift = within, 1
    else:
        is_across = tf.cast(tf.not_equal(tf.shape(q_head)[1], context_len), tf.int32)
        count = tf.shape(within)[0]
        both = tf.concat([within, across], 0)
        embeddings = both[is_across * count : count + is_across * tf.shape(across)[0]]
        shift = 1 + is_across
    kernel = tf.einsum("td,dnh->tnh", embeddings, self.r_kernel)
    scores = tf.einsum("binh,tnh->bnit", q_head + self.r_r_bias * self.scale, kernel)
    scores = sys.modules[_MODULE]._relative_shift_gather(scores, context_len, shift)
    return scores if cls_mask is None else scores * cls_mask
