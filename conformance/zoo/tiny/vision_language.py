"""Tiny configurations of models that read images and text."""

from __future__ import annotations

from functools import partial
from typing import Any

from transformers import CONFIG_MAPPING

from conformance.zoo.tiny.sizes import Tiny

WIDE = {"initializer_range": 0.3, "initializer_factor": 3.0}
TEXT = {
    **WIDE,
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
ENDED = {"pad_token_id": 1, "bos_token_id": 97, "eos_token_id": 98}
VISION = {
    **WIDE,
    "hidden_size": 24,
    "intermediate_size": 41,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_channels": 3,  # a name that BlipVisionConfig lacks, and TFBlipModel reads
    "image_size": 32,
    "patch_size": 8,
}


def _two_towers(model_type: str, text: dict[str, Any], vision: dict[str, Any], feature: str, **values: Any) -> Any:
    """Return the configuration of a text model and a vision model."""
    config = CONFIG_MAPPING[model_type](text_config=text, vision_config=vision, **{"projection_dim": 20, **values})
    for name, value in WIDE.items():
        setattr(config, name, value)  # GroupViT, BLIP and CLIP only accept their own
    return config


def _named(model_type: str, values: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = CONFIG_MAPPING[model_type](**values).to_dict()
    return named


def vision_text_dual_encoder(feature: str = "default") -> Any:
    """Return the configuration of a vision transformer beside BERT."""
    made = CONFIG_MAPPING["vision-text-dual-encoder"]
    return made(text_config=_named("bert", TEXT), vision_config=_named("vit", VISION), projection_dim=20)


def vision_encoder_decoder(feature: str = "vision2seq-lm", decoder: str = "gpt2") -> Any:
    """Return the configuration of a vision transformer whose states a decoder reads; they are wider, so they are projected."""
    reads = {**TEXT, "is_decoder": True, "add_cross_attention": True}
    return CONFIG_MAPPING["vision-encoder-decoder"](
        encoder=_named("vit", VISION), decoder=_named(decoder, reads), decoder_start_token_id=97, pad_token_id=98
    )


_GROUPVIT = {
    **VISION,
    "patch_size": 4,
    "depths": [1, 2, 1],
    "num_hidden_layers": 4,
    "num_group_tokens": [6, 5, 0],
    "num_output_groups": [6, 5, 5],
}
TINY: dict[str, Tiny] = {
    "blip": partial(
        _two_towers,
        "blip",
        {**TEXT, "encoder_hidden_size": 24, "hidden_act": "gelu", "is_decoder": True, "bos_token_id": 97},
        VISION,
    ),
    "chinese-clip": partial(_two_towers, "chinese_clip", TEXT, VISION),
    "clip": partial(_two_towers, "clip", {**TEXT, **ENDED}, VISION, num_labels=3),
    "clip-text-model": {**TEXT, **ENDED},
    "clip-vision-model": VISION,
    "groupvit": partial(_two_towers, "groupvit", {**TEXT, **ENDED}, _GROUPVIT, projection_intermediate_dim=28),
    "idefics": {
        **TEXT,
        "additional_vocab_size": 4,
        "cross_layer_interval": 2,
        "qk_layer_norms": True,
        "use_resampler": True,
        "vision_config": {**VISION, "embed_dim": 24},
        "perceiver_config": {
            "use_resampler": True,
            "resampler_n_latents": 5,
            "resampler_depth": 2,
            "resampler_n_heads": 2,
            "resampler_head_dim": 7,
            "qk_layer_norms_perceiver": True,
        },
    },
    "lxmert": {
        **TEXT,
        "l_layers": 2,
        "r_layers": 1,
        "x_layers": 1,
        "visual_feat_dim": 18,
        "num_qa_labels": 11,
        "num_object_labels": 12,
        "num_attr_labels": 13,
    },
    "owlvit": partial(_two_towers, "owlvit", {**TEXT, **ENDED, "max_position_embeddings": 16}, VISION),
    "vision-encoder-decoder": vision_encoder_decoder,
    "vision-text-dual-encoder": vision_text_dual_encoder,
}
