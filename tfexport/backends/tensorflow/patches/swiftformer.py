"""SwiftFormer for images of any size.

transformers 4.57 reshapes and repeats by the static height and width, which are None when these axes are dynamic.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.swiftformer.modeling_tf_swiftformer"


def specs() -> list[PatchingSpec]:
    """Return the patches if SwiftFormer is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    return [
        PatchingSpec(module.TFSwiftFormerEncoderBlock, "call", _block),
        PatchingSpec(module.TFSwiftFormerEfficientAdditiveAttention, "call", _attention),
        PatchingSpec(module.TFSwiftFormerForImageClassification, "call", module.unpack_inputs(_classify)),
    ]


def _block(self: Any, x: Any, training: bool = False) -> Any:
    """Apply an encoder block to a map ``(batch, height, width, channels)``, and return a map of the same shape."""
    local = self.local_representation(x, training=training)
    shape = tf.shape(local)
    tokens = self.attn(tf.reshape(local, [shape[0], shape[1] * shape[2], local.shape[3]]))
    attended = tf.ensure_shape(tf.reshape(tokens, shape), local.shape)
    first, second = (self.layer_scale_1, self.layer_scale_2) if self.use_layer_scale else (1.0, 1.0)
    hidden = local + self.drop_path(first * attended, training=training)
    return hidden + self.drop_path(second * self.linear(hidden), training=training)


def _attention(self: Any, x: Any) -> Any:
    """Apply additive attention over ``(batch, positions, channels)``: each image has one query, shared by all keys."""
    query = tf.math.l2_normalize(self.to_query(x), -1)
    key = tf.math.l2_normalize(self.to_key(x), -1)
    weight = tf.nn.softmax(query @ self.w_g * self.scale_factor, axis=-1)
    image = tf.reduce_sum(weight * query, axis=1, keepdims=True)
    return self.final(self.proj(image * key) + query)


def _classify(
    self: Any,
    pixel_values: Any = None,
    labels: Any = None,
    output_hidden_states: bool | None = None,
    return_dict: bool | None = None,
    training: bool = False,
) -> Any:
    """Return logits ``(batch, labels)``: the mean of two heads over the mean of the map."""
    hidden = self.swiftformer(pixel_values, return_dict=True, training=training).last_hidden_state
    normalised = self.norm(tf.transpose(hidden, [0, 2, 3, 1]), training=training)
    pooled = tf.reduce_mean(normalised, axis=[1, 2])
    output = sys.modules[_MODULE].TFImageClassifierOutputWithNoAttention
    return output(logits=(self.head(pooled) + self.dist_head(pooled)) / 2)
