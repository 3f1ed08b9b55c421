"""Tiny configurations of every declared model type, with random weights.

Dimensions differ from one another (heads, layers, hidden, intermediate, vocabulary), so that a mixed-up axis shows.
Weights are drawn wide (``initializer_range`` 0.3): with the usual 0.02 every output is nearly the same and a broken
graph would pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import CONFIG_MAPPING

from tfexport.tasks import normalise

ENCODER = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 64,
    "num_labels": 3,
}
XLM = {
    "vocab_size": 99,
    "emb_dim": 32,
    "n_layers": 2,
    "n_heads": 4,
    "max_position_embeddings": 64,
    "num_labels": 3,
    "initializer_range": 0.3,  # a name that XLMConfig lacks and TFXLMForMultipleChoice reads
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

TINY: dict[str, dict[str, Any]] = {
    "albert": {**ENCODER, "embedding_size": 16},
    "bert": ENCODER,
    "big-bird": {**ENCODER, "block_size": 8},
    "bloom": {"vocab_size": 99, "hidden_size": 32, "n_layer": 2, "n_head": 4, "num_labels": 3, "pad_token_id": 98},
    "camembert": ENCODER,
    "codegen": {**GPT, "rotary_dim": 4},
    "convbert": {**ENCODER, "embedding_size": 16, "conv_kernel_size": 3},
    "data2vec-text": ENCODER,
    "deberta": {
        **ENCODER,
        "relative_attention": True,
        "pos_att_type": ["c2p", "p2c"],
        "type_vocab_size": 0,
        "position_biased_input": False,
    },
    "deberta-v2": {
        **ENCODER,
        "relative_attention": True,
        "pos_att_type": ["c2p", "p2c"],
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "type_vocab_size": 0,
    },
    "distilbert": {
        "vocab_size": 99,
        "dim": 32,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 37,
        "max_position_embeddings": 64,
        "num_labels": 3,
    },
    "electra": {**ENCODER, "embedding_size": 16},
    "flaubert": XLM,
    "gpt-neo": {
        "vocab_size": 99,
        "hidden_size": 32,
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "window_size": 7,
        "max_position_embeddings": 64,
        "num_labels": 3,
        "pad_token_id": 98,
    },
    "gpt2": GPT,
    "gptj": {**GPT, "rotary_dim": 4},
    "ibert": ENCODER,
    "longformer": {**ENCODER, "attention_window": 4},
    "mobilebert": {**ENCODER, "embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32},
    "rembert": {**ENCODER, "input_embedding_size": 16, "output_embedding_size": 16},
    "roberta": ENCODER,
    "roformer": {**ENCODER, "embedding_size": 16},
    "squeezebert": {**ENCODER, "embedding_size": 32, "intermediate_size": 64},
    "xlm": XLM,
    "xlm-roberta": ENCODER,
}

_TYPES = {normalise(name): name for name in CONFIG_MAPPING}


def tiny_config(model_type: str, feature: str = "default") -> Any:
    """A tiny configuration of a model type, for a feature."""
    config_class = CONFIG_MAPPING[_TYPES[model_type]]
    known = vars(config_class())
    wide = {name: 0.3 for name in ("initializer_range", "init_std", "embed_init_std") if name in known}
    labels = {"num_labels": 2} if feature == "question-answering" else {}  # a start and an end
    return config_class(**{**wide, **TINY[model_type], **labels})


def tiny_model(framework: str, class_name: str, config: Any, seed: int = 0) -> Any:
    """A model with random weights, none of which is constant.

    Biases that begin as zeros and scales that begin as ones hide mistakes (MobileBERT's whole head begins as zeros).
    """
    import transformers

    random = np.random.default_rng(seed)
    if framework == "tf":
        import tensorflow as tf

        tf.keras.utils.set_random_seed(seed)
        model = getattr(transformers, class_name)(config)
        model.build_in_name_scope()
        for variable in model.weights:
            variable.assign(_varied(variable.numpy(), random))
        return model
    import torch

    torch.manual_seed(seed)
    config._attn_implementation = "eager"
    model = getattr(transformers, class_name)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(_varied(parameter.numpy(), random)))
    return model


def _varied(value: np.ndarray, random: np.random.Generator) -> np.ndarray:
    constant = value.dtype.kind == "f" and value.size and np.ptp(value) == 0
    return value + random.normal(0, 0.1, value.shape).astype(value.dtype) if constant else value
