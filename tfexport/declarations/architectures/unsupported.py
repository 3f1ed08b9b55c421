"""Model types and features of transformers 4.57.6 that tfexport does not export, each with its cause."""

from __future__ import annotations

from dataclasses import dataclass

from tfexport.checkpoints.framework import Framework


@dataclass(frozen=True)
class Unsupported:
    """A model type or a feature that is not exported.

    Attributes:
        model_type: Model type, with hyphens.
        feature: Feature; None for the whole model type.
        framework: Framework; None for both.
        cause: Cause, in one sentence.
    """

    model_type: str
    feature: str | None
    framework: Framework | None
    cause: str


UNSUPPORTED: tuple[Unsupported, ...] = (
    Unsupported(
        "blip",
        "question-answering",
        None,
        "BlipForQuestionAnswering.forward returns only the states of the image; only generate returns answers.",
    ),
    Unsupported(
        "blip",
        "vision2seq-lm-with-past",
        None,
        "the cache of its text decoder is not exported yet. Export vision2seq-lm, which reads the whole text for each token.",
    ),
    Unsupported("flaubert", "causal-lm", None, "transformers has no such class in either framework."),
    Unsupported("openai-gpt", "causal-lm-with-past", None, "the first GPT has no key-value cache."),
    Unsupported(
        "owlvit",
        "object-detection",
        None,
        "its number of texts is a multiple of its number of images, which independent axes cannot express; transformers.onnx "
        "lacks it too.",
    ),
    Unsupported(
        "rag",
        "seq2seq-lm-with-past",
        None,
        "the cache of its generator is not exported yet. Export the generator, a BART or a T5, as a model of its own.",
    ),
    Unsupported(
        "transfo-xl",
        None,
        None,
        "transformers still ships its deprecated classes, and none of them works. PyTorch's forward calls Tensor.type_as "
        "without a tensor: TypeError on any input. TensorFlow's classes create no variables before their first call, so that "
        "from_pretrained loads no weights and reports none missing.",
    ),
    Unsupported(
        "xlnet",
        "causal-lm-with-past",
        None,
        "its memory holds hidden states (mems) in place of keys and values, and no client feeds them back.",
    ),
)
