"""Tiny configurations of vision transformers, and of Segment Anything."""

from __future__ import annotations

from typing import Any

from transformers import SamConfig

from conformance.zoo.tiny.sizes import Tiny

_WIDE = 0.3  # see conformance/zoo/tiny/__init__.py
VIT = {
    "image_size": 48,
    "patch_size": 8,
    "encoder_stride": 8,
    "num_channels": 3,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "num_labels": 5,
}
_SEGMENTATION = {
    "num_hidden_layers": 4,
    "out_indices": [1, 2, 3, 4],
    "auxiliary_channels": 20,
    "pool_scales": [1, 2, 3, 6],  # windows of different sizes on a map of 4 x 4
}
_BEIT = {
    **{name: value for name, value in VIT.items() if name != "encoder_stride"},
    "image_size": 64,
    "vocab_size": 51,
    "use_mask_token": True,
    **_SEGMENTATION,
}
_SAM_VISION = {
    "image_size": 64,
    "patch_size": 8,
    "num_channels": 3,
    "hidden_size": 32,
    "output_channels": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "mlp_dim": 37,
    "window_size": 3,  # pads the 8 x 8 patches
    "global_attn_indexes": [1],
    "num_pos_feats": 12,
    "initializer_range": _WIDE,
}


def _sam(feature: str) -> Any:
    return SamConfig(
        vision_config=_SAM_VISION,
        prompt_encoder_config={"image_size": 64, "patch_size": 8, "hidden_size": 24, "mask_input_channels": 8},
        mask_decoder_config={
            "hidden_size": 24,
            "mlp_dim": 28,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": 20,
        },
        initializer_range=_WIDE,
    )


TINY: dict[str, Tiny] = {
    # BEiT has a relative bias in each layer and absolute positions; Data2Vec shares one relative bias.
    "beit": {**_BEIT, "use_relative_position_bias": True, "use_absolute_position_embeddings": True},
    "data2vec-vision": {**_BEIT, "use_shared_relative_position_bias": True},
    "deit": VIT,
    "dinov2": {**{name: value for name, value in VIT.items() if name != "intermediate_size"}, "mlp_ratio": 2},
    "imagegpt": {"vocab_size": 65, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4, "num_labels": 5},
    "sam": _sam,
    "sam-vision-model": _SAM_VISION,
    "swin": {
        "image_size": 64,
        "patch_size": 4,
        "num_channels": 3,
        "embed_dim": 12,
        "depths": [2, 2, 2],  # the maps of the last stage fit into one window
        "num_heads": [1, 2, 4],
        "window_size": 4,
        "encoder_stride": 16,
        "num_labels": 5,
    },
    "vit": VIT,
    "vit-mae": {
        **{name: value for name, value in VIT.items() if name != "encoder_stride"},
        "decoder_hidden_size": 24,
        "decoder_num_hidden_layers": 1,
        "decoder_num_attention_heads": 3,
        "decoder_intermediate_size": 29,
    },
}
