"""Stand-ins for packages that a model of transformers requires but its outputs do not need.

TAPAS' question answering (transformers 4.57.6) computes a loss even without labels, with two distributions of
tensorflow_probability, and returns only the logits. Without the package it fails on the undefined name. That package (0.25.0)
also cannot be imported together with Keras 3 once TensorFlow has been imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import tensorflow as tf

_MODULE = "transformers.models.tapas.modeling_tf_tapas"
_NAME = "tfp"


@contextmanager
def stand_ins() -> Iterator[None]:
    """Define the missing name in TAPAS during a block; do nothing where tensorflow_probability is installed."""
    module = sys.modules.get(_MODULE)
    if module is None or hasattr(module, _NAME):
        yield
        return
    setattr(module, _NAME, SimpleNamespace(distributions=SimpleNamespace(Bernoulli=Bernoulli, Categorical=Categorical)))
    try:
        yield
    finally:
        delattr(module, _NAME)


class Bernoulli:
    """Distributions over 0 and 1, from logits of any shape."""

    def __init__(self, logits: Any) -> None:
        self._logits = logits

    def log_prob(self, value: Any) -> Any:
        """Return the log-probability of values 0 or 1, with the shape of the logits."""
        return -tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(value, self._logits.dtype), self._logits)


class Categorical:
    """Distributions over classes, from logits ``(..., classes)``."""

    def __init__(self, logits: Any) -> None:
        self._logits = logits

    def log_prob(self, value: Any) -> Any:
        """Return the log-probability of class numbers ``(...)``."""
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(value, self._logits)
