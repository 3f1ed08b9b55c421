"""What transformers 4.57.6 has classes for, and tfexport does not export: each with the cause that was found."""

from __future__ import annotations

from dataclasses import dataclass

from tfexport.checkpoints.framework import Framework


@dataclass(frozen=True)
class Unsupported:
    """Something that is not exported.

    Attributes:
        model_type: with hyphens.
        feature: the feature; None for the whole type.
        framework: the framework; None for both.
        cause: why, in one sentence.
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
        "BlipForQuestionAnswering's forward returns no answer, only the states of the image: answers come from generate.",
    ),
    Unsupported(
        "blip",
        "vision2seq-lm-with-past",
        None,
        "the cache of its text decoder is not exported yet; without past it reads the whole text for each token.",
    ),
    Unsupported("flaubert", "causal-lm", None, "transformers has no such class in either framework."),
    Unsupported("openai-gpt", "causal-lm-with-past", None, "the first GPT has no key-value cache."),
    Unsupported(
        "owlvit",
        "object-detection",
        None,
        "its rows of text are images times queries, which two independent axes cannot say; transformers.onnx lacks it too.",
    ),
    Unsupported(
        "rag",
        "seq2seq-lm-with-past",
        None,
        "the cache of its generator is not exported yet: export the generator, a BART or T5 of its own.",
    ),
    Unsupported(
        "transfo-xl",
        None,
        None,
        "transformers still ships the deprecated classes and none works: PyTorch's forward calls Tensor.type_as without a "
        "tensor (TypeError on any input); TensorFlow's make no variables before their first call, so that from_pretrained "
        "loads no weights and reports none missing.",
    ),
    Unsupported(
        "xlnet",
        "causal-lm-with-past",
        None,
        "it remembers hidden states (mems) in place of keys and values, which no client feeds back.",
    ),
)
