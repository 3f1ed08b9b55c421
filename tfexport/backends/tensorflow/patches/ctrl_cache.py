"""CTRL reads several tokens together with a key-value cache.

transformers 4.57's TensorFlow CTRL keeps only the last token as soon as there is a cache, even an empty one, and its causal
mask has no columns for the past. A file that serves the first step and every later one must read every token that it
receives, as PyTorch's CTRL does.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.ctrl.modeling_tf_ctrl"


def specs() -> list[PatchingSpec]:
    """Return the patches if CTRL is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    return [
        PatchingSpec(module.TFCTRLMainLayer, "call", _reads_all_tokens(module.TFCTRLMainLayer.call)),
        PatchingSpec(
            module, "scaled_dot_product_attention", _masks_after_any_past(module.scaled_dot_product_attention)
        ),
    ]


class _Uncropped:
    """Tokens whose every slice is the whole."""

    def __init__(self, tokens: Any) -> None:
        self._tokens = tokens

    def __getitem__(self, _: Any) -> Any:
        return self._tokens


def _reads_all_tokens(call: Any) -> Any:
    @wraps(call)
    def whole(self: Any, input_ids: Any = None, **kwargs: Any) -> Any:
        if kwargs.get("past_key_values") is None or input_ids is None:
            return call(self, input_ids, **kwargs)
        # Bypass the decorator, which accepts only tensors: the model that calls this layer has filled in every argument.
        return call.__wrapped__(self, _Uncropped(input_ids), **kwargs)

    return whole


def _masks_after_any_past(attention: Any) -> Any:
    @wraps(attention)
    def masked(q: Any, k: Any, v: Any, mask: Any, *args: Any) -> Any:
        if mask is not None:
            past = tf.shape(k)[-2] - tf.shape(q)[-2]
            mask = tf.concat([tf.zeros((tf.shape(mask)[0], past), mask.dtype), mask], axis=-1)
        return attention(q, k, v, mask, *args)

    return masked
