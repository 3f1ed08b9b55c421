"""Text encoders."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from tfexport.declarations.architectures.axes import PER_SAMPLE, TEXT, text_inputs
from tfexport.declarations.architectures.registry import TEXT_ENCODER_FEATURES, register
from tfexport.declarations.onnx_config import OnnxConfig

_IF_TYPES = {"token_type_ids": "type_vocab_size"}


@register("albert", *TEXT_ENCODER_FEATURES)
class AlbertOnnxConfig(OnnxConfig):
    """ALBERT: BERT with shared layers and a factorised embedding."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("bert", *TEXT_ENCODER_FEATURES, "causal-lm", "next-sentence-prediction")
class BertOnnxConfig(OnnxConfig):
    """BERT."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("big-bird", *TEXT_ENCODER_FEATURES, "causal-lm")
class BigBirdOnnxConfig(OnnxConfig):
    """BigBird: full attention up to a length, block-sparse beyond it."""

    inputs = text_inputs("input_ids", "attention_mask")

    @property
    def _caveats_(self) -> tuple[str, ...]:
        config = self._config
        if config.attention_type != "block_sparse":
            return ()
        # transformers' BigBirdModel.forward changes its attention type at this length.
        longest = (5 + 2 * config.num_random_blocks) * config.block_size
        return (
            f"computes full attention, as BigBird does up to {longest} tokens. On longer texts the model's attention is "
            "block-sparse and random, and the file's is not.",
        )


@register("camembert", *TEXT_ENCODER_FEATURES, "causal-lm")
class CamembertOnnxConfig(OnnxConfig):
    """CamemBERT: RoBERTa for French."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("convbert", *TEXT_ENCODER_FEATURES)
class ConvBertOnnxConfig(OnnxConfig):
    """ConvBERT: attention mixed with span-based dynamic convolution."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("data2vec-text", *TEXT_ENCODER_FEATURES)
class Data2VecTextOnnxConfig(OnnxConfig):
    """data2vec for text: RoBERTa trained on latent targets."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("deberta", *(feature for feature in TEXT_ENCODER_FEATURES if feature != "multiple-choice"))
class DebertaOnnxConfig(OnnxConfig):
    """DeBERTa: disentangled attention. Token types are inputs where the configuration has some."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids", where=_IF_TYPES)


@register("deberta-v2", *TEXT_ENCODER_FEATURES)
class DebertaV2OnnxConfig(OnnxConfig):
    """DeBERTa v2 and v3: disentangled attention. Token types are inputs where the configuration has some."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids", where=_IF_TYPES)


@register("distilbert", *TEXT_ENCODER_FEATURES)
class DistilBertOnnxConfig(OnnxConfig):
    """DistilBERT: bidirectional encoder without token types."""

    inputs = text_inputs("input_ids", "attention_mask")


@register(
    "dpr",
    "default",
    "question-answering",
    classes={
        "default": {
            "pt": ("DPRQuestionEncoder", "DPRContextEncoder"),
            "tf": ("TFDPRQuestionEncoder", "TFDPRContextEncoder"),
        },
        "question-answering": {"pt": ("DPRReader",), "tf": ("TFDPRReader",)},
    },
)
class DPROnnxConfig(OnnxConfig):
    """DPR: an encoder of a question or a context to one vector, and a reader that finds a span in the contexts."""

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        names = ("input_ids", "attention_mask")  # the reader's one segment holds two sentences
        return OrderedDict(
            (name, dict(TEXT)) for name in (names if self.task == "question-answering" else (*names, "token_type_ids"))
        )

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        if self.task == "question-answering":
            return OrderedDict(super().outputs, relevance_logits=dict(PER_SAMPLE))
        return OrderedDict(pooler_output=dict(PER_SAMPLE))


@register("electra", *TEXT_ENCODER_FEATURES, "causal-lm")
class ElectraOnnxConfig(OnnxConfig):
    """ELECTRA: an encoder trained to detect replaced tokens."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("ernie", *TEXT_ENCODER_FEATURES, "causal-lm", "next-sentence-prediction")
class ErnieOnnxConfig(OnnxConfig):
    """ERNIE: BERT with task types, which only some configurations use."""

    _of_a_text = text_inputs("input_ids", "attention_mask", "token_type_ids", "task_type_ids")
    _of_choices = text_inputs("input_ids", "attention_mask", "token_type_ids")
    """Inputs for multiple choice. ErnieForMultipleChoice of transformers 4.57.6 fails on ``task_type_ids``, whose choices it does
    not join with the batch."""

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        return self._of_choices if self.task == "multiple-choice" else self._of_a_text


@register("esm", "default", "masked-lm", "sequence-classification", "token-classification")
class EsmOnnxConfig(OnnxConfig):
    """ESM: an encoder of proteins, with one token per amino acid."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("flaubert", *TEXT_ENCODER_FEATURES)
class FlaubertOnnxConfig(OnnxConfig):
    """FlauBERT: XLM for French."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("funnel", *TEXT_ENCODER_FEATURES)
class FunnelOnnxConfig(OnnxConfig):
    """Funnel Transformer: each block halves the sequence. A decoder restores it, except in the base model."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        classes = {name.removeprefix("TF") for name in self._config.architectures or ()}
        if self.task == "default" and "FunnelBaseModel" in classes:
            return OrderedDict(last_hidden_state={0: "batch", 1: "pooled_sequence"})
        return super().outputs

    @property
    def _shortest_sequence_(self) -> int:
        blocks = len(self._config.block_sizes)
        too_short = (length for length in range(2 ** (blocks + 2), 0, -1) if not self._takes(length))
        return 1 + next(too_short, 0)

    @property
    def default_sequence_length(self) -> int:
        return max(self.default_fixed_sequence, self._shortest_sequence_)

    @property
    def _caveats_(self) -> tuple[str, ...]:
        return (f"accepts only rows of {self._shortest_sequence_} tokens or more, because each of its blocks pools.",)

    def _takes(self, length: int) -> bool:
        """Return whether every block except the first pools a row of `length` tokens and has a position for each distance."""
        config = self._config
        *pooled, last = self._lengths_of_blocks(length)
        every_block_pools = all(tokens > (2 if config.separate_cls else 1) for tokens in pooled)
        distances = [tokens * 2**block for block, tokens in enumerate([*pooled, last]) if block]
        has_positions = config.attention_type == "factorized" or all(far < 2 * length for far in distances)
        return every_block_pools and has_positions

    def _lengths_of_blocks(self, length: int) -> list[int]:
        """Return the number of tokens in each block for a row of `length` tokens: halved per block, and rounded up."""
        config = self._config
        more = 1 if config.separate_cls and not config.truncate_seq else 0
        lengths = [length]
        for _ in config.block_sizes[1:]:
            lengths.append((lengths[-1] + more + 1) // 2)
        return lengths


@register("ibert", *TEXT_ENCODER_FEATURES)
class IBertOnnxConfig(OnnxConfig):
    """I-BERT: RoBERTa for integer arithmetic."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("longformer", *TEXT_ENCODER_FEATURES)
class LongformerOnnxConfig(OnnxConfig):
    """Longformer: attention in a sliding window, and global attention from selected tokens."""

    inputs = text_inputs("input_ids", "attention_mask", "global_attention_mask")

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        outputs = OrderedDict(super().outputs)
        if self.task == "default":
            outputs["pooler_output"] = {0: "batch"}
        return outputs

    @property
    def atol_for_validation(self) -> float:
        return 1e-4


@register("mobilebert", *TEXT_ENCODER_FEATURES, "next-sentence-prediction")
class MobileBertOnnxConfig(OnnxConfig):
    """MobileBERT: thin BERT with bottlenecks."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("mpnet", *TEXT_ENCODER_FEATURES)
class MPNetOnnxConfig(OnnxConfig):
    """MPNet: positions are counted from the padding index, and attention has a bias by distance."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("rembert", *TEXT_ENCODER_FEATURES, "causal-lm")
class RemBertOnnxConfig(OnnxConfig):
    """RemBERT: BERT with separate input and output embeddings."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")

    @property
    def atol_for_validation(self) -> float:
        return 1e-4


@register("roberta", *TEXT_ENCODER_FEATURES, "causal-lm")
class RobertaOnnxConfig(OnnxConfig):
    """RoBERTa: positions are counted from the padding index."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("roberta-prelayernorm", *TEXT_ENCODER_FEATURES, "causal-lm")
class RobertaPreLayerNormOnnxConfig(OnnxConfig):
    """RoBERTa with layer normalisation before each part of a layer."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("roformer", *TEXT_ENCODER_FEATURES, "causal-lm")
class RoFormerOnnxConfig(OnnxConfig):
    """RoFormer: rotary positions."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("squeezebert", *TEXT_ENCODER_FEATURES)
class SqueezeBertOnnxConfig(OnnxConfig):
    """SqueezeBERT: BERT with grouped convolutions in place of dense layers."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("xlm", *TEXT_ENCODER_FEATURES, "causal-lm")
class XLMOnnxConfig(OnnxConfig):
    """XLM: cross-lingual encoder and decoder."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("xlm-roberta", *TEXT_ENCODER_FEATURES, "causal-lm")
class XLMRobertaOnnxConfig(OnnxConfig):
    """XLM-RoBERTa: RoBERTa for a hundred languages."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("xlm-roberta-xl", *TEXT_ENCODER_FEATURES, "causal-lm")
class XLMRobertaXLOnnxConfig(OnnxConfig):
    """XLM-RoBERTa XL: a larger XLM-RoBERTa, with layer normalisation before each part of a layer."""

    inputs = text_inputs("input_ids", "attention_mask")


@register(
    "xlnet",
    "default",
    "causal-lm",
    "multiple-choice",
    "question-answering",
    "sequence-classification",
    "token-classification",
)
class XLNetOnnxConfig(OnnxConfig):
    """XLNet: bidirectional attention by distance. The file predicts every position, without permutation or memory."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("xmod", *TEXT_ENCODER_FEATURES, "causal-lm")
class XmodOnnxConfig(OnnxConfig):
    """X-MOD: XLM-RoBERTa with one adapter per language. The file uses the configuration's default language."""

    inputs = text_inputs("input_ids", "attention_mask")

    @property
    def _caveats_(self) -> tuple[str, ...]:
        return (f"reads only {self._config.default_language}, the configuration's default_language.",)
