"""Tiny configurations of models for documents and tables, and of Perceiver."""

from __future__ import annotations

from conformance.zoo.tiny.sizes import ENCODER, Tiny

TINY: dict[str, Tiny] = {
    "layoutlm": {**ENCODER, "max_2d_position_embeddings": 104},
    "layoutlmv3": {
        **ENCODER,
        "max_2d_position_embeddings": 104,
        "coordinate_size": 6,
        "shape_size": 4,
        "rel_pos_bins": 8,
        "max_rel_pos": 16,
        "rel_2d_pos_bins": 12,
        "max_rel_2d_pos": 32,
        "input_size": 48,
        "patch_size": 16,
    },
    "perceiver": {
        "num_latents": 7,
        "d_latents": 32,
        "d_model": 24,
        "num_blocks": 2,
        "num_self_attends_per_block": 2,
        "num_self_attention_heads": 4,
        "num_cross_attention_heads": 2,
        "vocab_size": 99,
        "max_position_embeddings": 20,
        "image_size": 16,
        "num_labels": 3,
        "initializer_range": 0.1,  # image positions have 256 channels, and labels are decoded from 1024
    },
    "tapas": {
        **ENCODER,
        "type_vocab_sizes": [3, 8, 9, 2, 6, 7, 5],
        "num_aggregation_labels": 4,
        "max_num_rows": 6,
        "max_num_columns": 5,
    },
}
