"""DeBERTa's attention bias without branches on a dynamic length.

transformers 4.57 compares the lengths of query and key in Python, and gathers through permutations that depend on
``tf.rank``. Traced with a dynamic length, both become conditionals, and tf2onnx refuses their dynamic permutations.
In self-attention the two lengths are equal, so the bias has a form without either. It computes the same values as the
original (DeBERTa, arXiv:2006.03654, section 3.1): content to position plus position to content.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.deberta.modeling_tf_deberta"


def specs() -> list[PatchingSpec]:
    """Return the patch if DeBERTa is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    return [PatchingSpec(module.TFDebertaDisentangledSelfAttention, "disentangled_att_bias", _attention_bias)]


def _attention_bias(
    self: Any, query_layer: Any, key_layer: Any, relative_pos: Any, rel_embeddings: Any, scale_factor: int
) -> Any:
    """Return the bias of the attention scores ``(batch, heads, sequence, sequence)``.

    Args:
        self: A ``TFDebertaDisentangledSelfAttention``.
        query_layer: ``(batch, heads, sequence, head size)``, scaled.
        key_layer: ``(batch, heads, sequence, head size)``.
        relative_pos: Query index minus key index, int64 ``(1, sequence, sequence)``.
        rel_embeddings: ``(2 * max_relative_positions, hidden size)``.
        scale_factor: Number of terms in the scores.
    """
    length = tf.shape(query_layer)[2]
    span = tf.cast(tf.minimum(length, self.max_relative_positions), tf.int64)
    limit = self.max_relative_positions
    positions = rel_embeddings[tf.newaxis, limit - span : limit + span, :]
    distance = tf.cast(relative_pos, tf.int64)[:, tf.newaxis]
    bias = tf.zeros((), query_layer.dtype)
    if "c2p" in self.pos_att_type:
        keys = self.transpose_for_scores(self.pos_proj(positions))
        scores = tf.matmul(query_layer, keys, transpose_b=True)
        bias += _gather_last(scores, tf.clip_by_value(distance + span, 0, span * 2 - 1))
    if "p2c" in self.pos_att_type:
        queries = self.transpose_for_scores(self.pos_q_proj(positions))
        head_size = self.all_head_size // self.num_attention_heads
        queries /= (head_size * scale_factor) ** 0.5
        scores = tf.matmul(key_layer, queries, transpose_b=True)
        gathered = _gather_last(scores, tf.clip_by_value(span - distance, 0, span * 2 - 1))
        bias += tf.transpose(gathered, [0, 1, 3, 2])
    return bias


def _gather_last(scores: Any, index: Any) -> Any:
    """Return ``scores[b, h, i, index[0, 0, i, j]]`` as ``(b, h, n, n)``: scores ``(b, h, n, m)``, index ``(1, 1, n, n)``."""
    shape = tf.shape(scores)
    length = tf.shape(index)[3]
    spread = tf.broadcast_to(index, tf.stack([shape[0], shape[1], shape[2], length]))
    gathered = tf.gather(
        tf.reshape(scores, tf.stack([-1, shape[3]])), tf.reshape(spread, tf.stack([-1, length])), batch_dims=1
    )
    return tf.reshape(gathered, tf.stack([shape[0], shape[1], shape[2], length]))
