"""Tiny models with random weights."""

from __future__ import annotations

from typing import Any

import numpy as np


def tiny_model(framework: str, class_name: str, config: Any, seed: int = 0) -> Any:
    """Make a model with random weights, none of which is constant.

    Biases that begin as zeros and scales that begin as ones hide mistakes (MobileBERT's whole head begins as zeros).
    """
    import transformers

    random = np.random.default_rng(seed)
    if framework == "tf":
        import tf_keras  # read before transformers chooses tf_keras, tf.keras stays Keras 3

        tf_keras.utils.set_random_seed(seed)
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
        stored = model.state_dict().keys()
        for name, buffer in model.named_buffers():  # statistics of batch normalisation, which checkpoints have too
            if name in stored and buffer.numel() > 1:  # a buffer of one element is a setting
                buffer.copy_(torch.from_numpy(_varied(buffer.numpy(), random)))
    return model


def _varied(value: np.ndarray, random: np.random.Generator) -> np.ndarray:
    constant = value.dtype.kind == "f" and value.size and np.ptp(value) == 0
    varied = value + random.normal(0, 0.1, value.shape).astype(value.dtype) if constant else value
    return np.asarray(varied, value.dtype)  # the sum of two arrays without axes is a number in NumPy
