"""Segment Anything's mask decoder without a branch on the number of sets of points.

transformers 4.57.6 asks in Python whether there are any sets of points. Traced with a dynamic number of them, the answer
is a tensor. AutoGraph must then trace the whole model, not only the decoder: that is four times slower, and the file has
conditionals. The exported models require points, so there is always at least one set.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.sam.modeling_tf_sam"


def specs() -> list[PatchingSpec]:
    """Return the patch if Segment Anything is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module.TFSamMaskDecoder, "call", _decode)]


def _decode(
    self: Any,
    image_embeddings: Any,
    image_positional_embeddings: Any,
    sparse_prompt_embeddings: Any,
    dense_prompt_embeddings: Any,
    multimask_output: bool,
    output_attentions: bool | None = None,
) -> tuple[Any, ...]:
    """Return masks ``(batch, sets, masks, height, width)``, their scores, and attentions, as ``TFSamMaskDecoder.call`` does.

    Args:
        self: A ``TFSamMaskDecoder``.
        image_embeddings: ``(batch, channels, height, width)``.
        image_positional_embeddings: ``(batch, channels, height, width)``.
        sparse_prompt_embeddings: ``(batch, sets, points, channels)``.
        dense_prompt_embeddings: ``(batch, channels, height, width)``.
        multimask_output: Whether to return three masks per set, else one.
        output_attentions: Whether to return attentions.
    """
    batch, sets = tf.shape(image_embeddings)[0], tf.shape(sparse_prompt_embeddings)[1]
    channels, height, width = image_embeddings.shape[1:]
    learned = tf.concat([self.iou_token, self.mask_tokens], axis=0)[tf.newaxis, tf.newaxis]
    tokens = tf.concat([tf.tile(learned, (batch, sets, 1, 1)), sparse_prompt_embeddings], axis=2)
    tokens, images, attentions = self.transformer(
        point_embeddings=tf.cast(tokens, self.iou_token.dtype),
        image_embeddings=tf.repeat(image_embeddings + dense_prompt_embeddings, sets, axis=0),
        image_positional_embeddings=tf.repeat(image_positional_embeddings, sets, axis=0),
        output_attentions=output_attentions,
    )
    images = tf.reshape(tf.transpose(images, (0, 1, 3, 2)), (batch * sets, channels, height, width))
    images = self.activation(self.upscale_layer_norm(self.upscale_conv1(images)))
    images = self.activation(self.upscale_conv2(images))
    channels, height, width = images.shape[1:]
    images = tf.reshape(images, (batch, sets, channels, height * width))

    heads = enumerate(self.output_hypernetworks_mlps, start=1)  # the first token is for the scores
    filters = tf.stack([head(tokens[:, :, index]) for index, head in heads], axis=2)
    masks = tf.reshape(filters @ images, (batch, sets, self.num_mask_tokens, height, width))
    scores = self.iou_prediction_head(tokens[:, :, 0])
    wanted = slice(1, None) if multimask_output else slice(0, 1)
    return masks[:, :, wanted], scores[:, :, wanted], (attentions if output_attentions else None)
