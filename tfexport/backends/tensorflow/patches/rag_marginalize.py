"""RAG-Token's sum over documents for any batch.

transformers 4.57 divides the static number of rows by the number of documents. The former is None when the batch is
dynamic: ``TypeError: unsupported operand type(s) for //``.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.rag.modeling_tf_rag"


def specs() -> list[PatchingSpec]:
    """Return the patch if RAG is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    return [PatchingSpec(module.TFRagTokenForGeneration, "marginalize", _marginalize)]


def _marginalize(self: Any, seq_logits: Any, doc_scores: Any, n_docs: int | None = None) -> Any:
    """Return log probabilities of the next token ``(batch, sequence, vocabulary)``, with the documents summed out.

    RAG, arXiv:2005.11401, section 2.1: p(y) is the sum over documents of p(document) p(y | document).

    Args:
        self: A ``TFRagTokenForGeneration``.
        seq_logits: ``(batch * documents, sequence, vocabulary)``.
        doc_scores: ``(batch, documents)``.
        n_docs: Documents per sample; None for the configuration's value.
    """
    documents = self.config.n_docs if n_docs is None else n_docs
    of_tokens = tf.nn.log_softmax(seq_logits, axis=-1)
    shape = tf.shape(of_tokens)
    of_tokens = tf.reshape(of_tokens, tf.stack([-1, documents, shape[1], shape[2]]))
    of_documents = tf.nn.log_softmax(doc_scores, axis=1)[:, :, tf.newaxis, tf.newaxis]
    return tf.reduce_logsumexp(of_tokens + of_documents, axis=1)
