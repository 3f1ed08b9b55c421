"""Encoder-decoders of text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from tfexport.declarations.architectures.axes import (
    DECODER_TEXT,
    ENCODER_TEXT,
    ONE_TOKEN,
    PER_SAMPLE,
    TEXT,
    WHOLE_DECODED_TEXT,
    ports,
)
from tfexport.declarations.architectures.registry import register
from tfexport.declarations.model_facts import ModelFacts
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.with_past import WHOLE_SEQUENCE, OnnxSeq2SeqConfigWithPast
from tfexport.dummy_inputs import InputRules

_CONTEXTS = {0: "documents", 1: "context_sequence"}
"""Axes of retrieved texts: ``n_docs`` of the configuration per sample."""
_ONE_SIDE_ONLY = ("causal-lm", "text-encoding")
"""Tasks that use only the decoder, or only the encoder."""
_DEFAULT = ("default", "default-with-past")
_DECODER_ONLY = ("causal-lm", "causal-lm-with-past")
_TRANSLATION = ("seq2seq-lm", "seq2seq-lm-with-past")
_SEQ2SEQ = (*_DEFAULT, *_TRANSLATION)
_BART = (*_DEFAULT, *_DECODER_ONLY, *_TRANSLATION, "sequence-classification", "question-answering")


class seq2seq_inputs:
    """Inputs of an encoder-decoder, as a class attribute.

    Names that start with ``decoder_`` have the axes ``(batch, decoder_sequence)``, the others ``(batch, encoder_sequence)``. With
    past the decoder takes one token at a time. Two kinds of task differ. A task of one side takes only the ids and their mask,
    ``(batch, sequence)``. Sequence classification reads the decoder's state at the encoder's end-of-sequence token, so that both
    texts have the same length.

    Args:
        names: the inputs, in order.
    """

    def __init__(self, *names: str) -> None:
        self.names = names

    def __get__(self, config: Any, owner: type[OnnxConfig]) -> Mapping[str, Mapping[int, str]]:
        task = "default" if config is None else config.task
        use_past = config is not None and config.use_past
        inputs: OrderedDict[str, Any]
        if task in _ONE_SIDE_ONLY:
            mask = {0: "batch", 1: WHOLE_SEQUENCE} if use_past else dict(TEXT)
            inputs = OrderedDict(input_ids=dict(TEXT), attention_mask=mask)
        else:
            decoder = ENCODER_TEXT if task == "sequence-classification" else DECODER_TEXT
            decoders = dict.fromkeys(("decoder_input_ids", "decoder_attention_mask"), decoder)
            if use_past:
                decoders = {"decoder_input_ids": ONE_TOKEN, "decoder_attention_mask": WHOLE_DECODED_TEXT}
            inputs = OrderedDict((name, dict(decoders.get(name, ENCODER_TEXT))) for name in self.names)
        if use_past:
            config.fill_with_past_key_values_(inputs, direction="inputs")
        return inputs


class _EncoderDecoder(OnnxSeq2SeqConfigWithPast):
    """An encoder and a decoder, of which some tasks use only one."""

    @property
    def _one_side_only_(self) -> bool:
        return self.task in _ONE_SIDE_ONLY


@register("bart", *_BART)
class BartOnnxConfig(_EncoderDecoder):
    """BART: BERT's encoder and GPT's decoder."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("bigbird-pegasus", *_BART)
class BigBirdPegasusOnnxConfig(_EncoderDecoder):
    """BigBird-Pegasus: PEGASUS with BigBird's attention in the encoder."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")

    @property
    def _caveats_(self) -> tuple[str, ...]:
        config = self._config
        if self.task == "causal-lm" or config.attention_type != "block_sparse":
            return ()
        # transformers' BigBirdPegasusEncoder.forward changes its attention type at this length.
        longest = (5 + 2 * config.num_random_blocks) * config.block_size
        return (
            f"computes full attention in the encoder, as BigBird-Pegasus does up to {longest} tokens. On longer texts the "
            "model's attention is block-sparse and random, and the file's is not.",
        )


@register("blenderbot", *_DEFAULT, *_DECODER_ONLY, *_TRANSLATION)
class BlenderbotOnnxConfig(_EncoderDecoder):
    """Blenderbot: BART with normalisation first, for dialogue."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("blenderbot-small", *_DEFAULT, *_DECODER_ONLY, *_TRANSLATION)
class BlenderbotSmallOnnxConfig(_EncoderDecoder):
    """Blenderbot with 90M parameters: BART for dialogue."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("encoder-decoder", *_TRANSLATION)
class EncoderDecoderOnnxConfig(_EncoderDecoder):
    """An encoder and a decoder of any two types."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")

    @property
    def values_override(self) -> Mapping[str, Any]:
        return {"decoder.use_cache": self.use_past} if hasattr(self._config.decoder, "use_cache") else {}


@register("led", *_SEQ2SEQ, "sequence-classification", "question-answering")
class LEDOnnxConfig(_EncoderDecoder):
    """LED: BART whose encoder has Longformer's sliding windows, and global attention from selected tokens."""

    inputs = seq2seq_inputs(
        "input_ids", "attention_mask", "global_attention_mask", "decoder_input_ids", "decoder_attention_mask"
    )


@register("longt5", *_SEQ2SEQ)
class LongT5OnnxConfig(_EncoderDecoder):
    """LongT5: T5 whose encoder has local attention, or local and transient-global attention."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("m2m-100", *_SEQ2SEQ)
class M2M100OnnxConfig(_EncoderDecoder):
    """M2M-100 and NLLB: translation between many languages."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("marian", *_DEFAULT, *_TRANSLATION, *_DECODER_ONLY)
class MarianOnnxConfig(_EncoderDecoder):
    """Marian: translation between two languages."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("mbart", *_BART)
class MBartOnnxConfig(_EncoderDecoder):
    """mBART: BART for many languages, with normalisation first."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("mt5", *_SEQ2SEQ, "text-encoding")
class MT5OnnxConfig(_EncoderDecoder):
    """mT5: T5 for many languages, with gated feed-forward layers."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("pegasus", *_DEFAULT, *_DECODER_ONLY, *_TRANSLATION)
class PegasusOnnxConfig(_EncoderDecoder):
    """PEGASUS: trained on gap sentences, for summaries."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("plbart", *_DEFAULT, *_DECODER_ONLY, *_TRANSLATION, "sequence-classification")
class PLBartOnnxConfig(_EncoderDecoder):
    """PLBART: BART for programs and their documentation."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register(
    "rag",
    "default",
    "seq2seq-lm",
    classes={
        "default": {"pt": ("RagModel",), "tf": ("TFRagModel",)},
        "seq2seq-lm": {
            "pt": ("RagTokenForGeneration", "RagSequenceForGeneration"),
            "tf": ("TFRagTokenForGeneration", "TFRagSequenceForGeneration"),
        },
    },
    # The generator reads all text but the question, which only the retriever needs.
    facts=ModelFacts(InputRules(text_parts=("generator",), decoder_parts=("generator",), tokenizer="generator")),
)
class RagOnnxConfig(OnnxSeq2SeqConfigWithPast):
    """RAG without its retriever: the generator reads the retrieved contexts, which are inputs of the graph."""

    _exported_in_parts_ = False  # no client loads a retriever and a generator separately

    inputs = ports(
        context_input_ids=_CONTEXTS,
        context_attention_mask=_CONTEXTS,
        doc_scores=PER_SAMPLE,
        decoder_input_ids=DECODER_TEXT,
        decoder_attention_mask=DECODER_TEXT,
    )

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        # One row per document. RAG-Token can sum over the documents of a sample; RAG-Sequence sums only while it generates.
        architectures = getattr(self._config, "architectures", None) or ["RagTokenForGeneration"]
        sums = self.task == "seq2seq-lm" and self._config.do_marginalize and "Token" in architectures[0]
        return OrderedDict(logits={0: "batch" if sums else "documents", 1: "decoder_sequence"})

    @property
    def values_override(self) -> Mapping[str, Any]:
        return {"use_cache": self.use_past, "generator.use_cache": self.use_past}


@register("t5", *_SEQ2SEQ, "text-encoding")
class T5OnnxConfig(_EncoderDecoder):
    """T5: relative positions, and normalisation first and without a mean."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")


@register("umt5", *_SEQ2SEQ, "text-encoding")
class UMT5OnnxConfig(_EncoderDecoder):
    """UMT5: mT5 with relative positions in each layer."""

    inputs = seq2seq_inputs("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")
