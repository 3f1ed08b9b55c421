"""Tiny configurations of models that detect objects."""

from __future__ import annotations

from typing import Any

from transformers import CONFIG_MAPPING, ResNetConfig

from conformance.zoo.tiny.sizes import Tiny
from conformance.zoo.tiny.vision_transformers import VIT

_WIDE = 0.3  # see conformance/zoo/tiny/__init__.py


def _detr(model_type: str) -> Any:
    """Return a function from a feature to a configuration with transformers' own ResNet instead of timm's."""

    def config(feature: str) -> Any:
        backbone = ResNetConfig(
            embedding_size=6,
            hidden_sizes=[8, 12, 16, 20],
            depths=[1, 1, 1, 1],
            out_features=["stage1", "stage2", "stage3", "stage4"],
        )
        return CONFIG_MAPPING[model_type](
            use_timm_backbone=False,
            backbone=None,
            use_pretrained_backbone=False,
            backbone_config=backbone,
            num_queries=7,
            d_model=64,  # the mask head divides it by 64
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=8,  # d_model is a multiple of the mask head's 8 groups
            decoder_attention_heads=4,
            encoder_ffn_dim=37,
            decoder_ffn_dim=29,
            num_labels=5,
            init_std=_WIDE,
            image_size=96,
        )

    return config


TINY: dict[str, Tiny] = {
    "conditional-detr": _detr("conditional_detr"),
    "detr": _detr("detr"),
    "table-transformer": _detr("table-transformer"),
    "yolos": {
        **{name: value for name, value in VIT.items() if name != "encoder_stride"},
        "image_size": [48, 64],
        "num_detection_tokens": 7,
    },
}
