"""Text encoders."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from tfexport.architectures.registry import TEXT_ENCODER_FEATURES, register, text_inputs
from tfexport.onnx_config import OnnxConfig

_IF_TYPES = {"token_type_ids": "type_vocab_size"}


@register("albert", *TEXT_ENCODER_FEATURES)
class AlbertOnnxConfig(OnnxConfig):
    """ALBERT: BERT with shared layers and a factorised embedding."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("bert", *TEXT_ENCODER_FEATURES, "causal-lm")
class BertOnnxConfig(OnnxConfig):
    """BERT."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("big-bird", *TEXT_ENCODER_FEATURES, "causal-lm")
class BigBirdOnnxConfig(OnnxConfig):
    """BigBird: full attention up to a length, block-sparse beyond it."""

    inputs = text_inputs("input_ids", "attention_mask")

    @property
    def caveats(self) -> tuple[str, ...]:
        config = self._config
        if config.attention_type != "block_sparse":
            return ()
        # transformers' BigBirdModel.forward changes its own attention type by this length.
        longest = (5 + 2 * config.num_random_blocks) * config.block_size
        return (
            f"computes full attention, as BigBird itself does up to {longest} tokens; beyond, BigBird's attention is "
            "block-sparse and random, and this file's is not.",
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
    """DeBERTa: disentangled attention; token types only where the configuration has some."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids", where=_IF_TYPES)


@register("deberta-v2", *TEXT_ENCODER_FEATURES)
class DebertaV2OnnxConfig(OnnxConfig):
    """DeBERTa v2 and v3: disentangled attention; token types only where the configuration has some."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids", where=_IF_TYPES)


@register("distilbert", *TEXT_ENCODER_FEATURES)
class DistilBertOnnxConfig(OnnxConfig):
    """DistilBERT: bidirectional encoder without token types."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("electra", *TEXT_ENCODER_FEATURES, "causal-lm")
class ElectraOnnxConfig(OnnxConfig):
    """ELECTRA: an encoder trained to tell replaced tokens."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("flaubert", *TEXT_ENCODER_FEATURES)
class FlaubertOnnxConfig(OnnxConfig):
    """FlauBERT: XLM for French."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("ibert", *TEXT_ENCODER_FEATURES)
class IBertOnnxConfig(OnnxConfig):
    """I-BERT: RoBERTa made for integer arithmetic."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("longformer", *TEXT_ENCODER_FEATURES)
class LongformerOnnxConfig(OnnxConfig):
    """Longformer: attention in a sliding window, and global attention from chosen tokens."""

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


@register("mobilebert", *TEXT_ENCODER_FEATURES)
class MobileBertOnnxConfig(OnnxConfig):
    """MobileBERT: thin BERT with bottlenecks."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("rembert", *TEXT_ENCODER_FEATURES, "causal-lm")
class RemBertOnnxConfig(OnnxConfig):
    """RemBERT: BERT whose input and output embeddings are decoupled."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")

    @property
    def atol_for_validation(self) -> float:
        return 1e-4


@register("roberta", *TEXT_ENCODER_FEATURES, "causal-lm")
class RobertaOnnxConfig(OnnxConfig):
    """RoBERTa: positions counted from the padding index."""

    inputs = text_inputs("input_ids", "attention_mask")


@register("roformer", *TEXT_ENCODER_FEATURES, "causal-lm")
class RoFormerOnnxConfig(OnnxConfig):
    """RoFormer: rotary positions."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("squeezebert", *TEXT_ENCODER_FEATURES)
class SqueezeBertOnnxConfig(OnnxConfig):
    """SqueezeBERT: grouped convolutions in place of dense layers."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("xlm", *TEXT_ENCODER_FEATURES, "causal-lm")
class XLMOnnxConfig(OnnxConfig):
    """XLM: cross-lingual encoder and decoder."""

    inputs = text_inputs("input_ids", "attention_mask", "token_type_ids")


@register("xlm-roberta", *TEXT_ENCODER_FEATURES, "causal-lm")
class XLMRobertaOnnxConfig(OnnxConfig):
    """XLM-RoBERTa: RoBERTa in a hundred languages."""

    inputs = text_inputs("input_ids", "attention_mask")
