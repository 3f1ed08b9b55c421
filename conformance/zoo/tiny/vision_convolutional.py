"""Tiny configurations of convolutional vision models, with and without attention."""

from __future__ import annotations

from conformance.zoo.tiny.sizes import Tiny

_IMAGES = {"image_size": 64, "num_channels": 3, "num_labels": 5}
CONVNEXT = {**_IMAGES, "num_stages": 3, "hidden_sizes": [8, 12, 20], "depths": [1, 2, 1]}

TINY: dict[str, Tiny] = {
    "convnext": CONVNEXT,
    "convnextv2": CONVNEXT,
    "cvt": {**_IMAGES, "embed_dim": [8, 12, 24], "num_heads": [1, 2, 3], "depth": [1, 2, 3]},
    "efficientformer": {
        **_IMAGES,
        "image_size": 128,
        "depths": [1, 1, 2, 2],
        "hidden_sizes": [8, 12, 16, 24],
        "dim": 24,
        "key_dim": 6,
        "resolution": 4,
        "num_attention_heads": 2,
    },
    "efficientnet": {
        **_IMAGES,
        "width_coefficient": 0.1,
        "depth_coefficient": 1.0,
        "kernel_sizes": [3, 3, 5],
        "in_channels": [32, 16, 160],
        "out_channels": [16, 160, 240],
        "strides": [1, 2, 1],
        "num_block_repeats": [1, 2, 1],
        "expand_ratios": [1, 4, 4],
        "hidden_dim": 128,
    },
    "levit": {
        **_IMAGES,
        "hidden_sizes": [16, 24, 32],
        "num_attention_heads": [2, 3, 4],
        "depths": [1, 2, 1],
        "key_dim": [4, 6, 4],
        "initializer_range": 0.1,
    },
    "mobilenet-v1": {**_IMAGES, "depth_multiplier": 0.25},
    "mobilenet-v2": {**_IMAGES, "depth_multiplier": 0.25, "output_stride": 16, "initializer_range": 0.15},
    "mobilevit": {
        **_IMAGES,
        "hidden_sizes": [12, 16, 24],
        "neck_hidden_sizes": [4, 8, 12, 16, 20, 24, 28],
        "num_attention_heads": 2,
        "aspp_out_channels": 10,
        "atrous_rates": [2, 3, 4],
    },
    "mobilevitv2": {
        **_IMAGES,
        "n_attn_blocks": [1, 2, 1],
        "base_attn_unit_dims": [32, 48, 64],
        "width_multiplier": 0.25,
        "aspp_out_channels": 10,
        "atrous_rates": [2, 3, 4],
    },
    "poolformer": {**_IMAGES, "hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 2, 1]},
    "pvt": {
        **_IMAGES,
        "hidden_sizes": [8, 12, 16, 20],
        "num_attention_heads": [1, 2, 4, 5],
        "depths": [1, 1, 2, 1],
        "mlp_ratios": [3, 2, 2, 2],
    },
    "regnet": {
        **_IMAGES,
        "embedding_size": 6,
        "hidden_sizes": [8, 12, 16, 20],
        "depths": [1, 2, 1, 1],
        "groups_width": 4,
    },
    "resnet": {**_IMAGES, "embedding_size": 6, "hidden_sizes": [8, 12, 16, 20], "depths": [1, 2, 1, 1]},
    "segformer": {
        **_IMAGES,
        "hidden_sizes": [8, 12, 20, 24],
        "num_attention_heads": [1, 2, 5, 4],
        "depths": [1, 1, 2, 1],
        "decoder_hidden_size": 14,
    },
    "swiftformer": {**_IMAGES, "embed_dims": [8, 12, 16, 20], "depths": [1, 1, 2, 1]},
}
