"""Sizes that several tiny configurations share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Tiny = Mapping[str, Any] | Callable[[str], Any]
"""The arguments of a configuration class. A model of several parts has a function from a feature to a configuration."""

ENCODER = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 64,
    "num_labels": 3,
}
GPT = {
    "vocab_size": 99,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 64,
    "num_labels": 3,
    "pad_token_id": 98,
}
