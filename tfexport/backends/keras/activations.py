"""Activations of Keras 3 and tf_keras that ONNX's recurrent operators support."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Activation:
    """A function of ONNX's recurrent operators.

    Attributes:
        name: Name of the function in ONNX.
        alpha: First constant; None for a function without constants.
        beta: Second constant; None for a function with fewer.
    """

    name: str
    alpha: float | None = None
    beta: float | None = None


_OF_BOTH = {
    "elu": Activation("Elu", 1.0),
    "leaky_relu": Activation("LeakyRelu", 0.2),
    "linear": Activation("Affine", 1.0, 0.0),
    "relu": Activation("Relu"),
    "sigmoid": Activation("Sigmoid"),
    "softplus": Activation("Softplus"),
    "softsign": Activation("Softsign"),
    "tanh": Activation("Tanh"),
}
_OF_FRAMEWORKS = {name: _OF_BOTH[name] for name in ("relu", "sigmoid", "tanh")}
# Functions by module. The hard sigmoids differ: Keras 3's reaches 0 and 1 at 3, tf_keras's at 2.5.
_MODULES = {
    "keras.src.activations.activations": {**_OF_BOTH, "hard_sigmoid": Activation("HardSigmoid", 1 / 6, 0.5)},
    "tf_keras.src.activations": {**_OF_BOTH, "hard_sigmoid": Activation("HardSigmoid", 0.2, 0.5)},
    "tensorflow._api.v2.nn": _OF_FRAMEWORKS,  # tf.tanh is tf.nn.tanh
    "torch": _OF_FRAMEWORKS,
}


def activation_of(function: Any) -> Activation | None:
    """Return ONNX's function for an activation; None where ONNX lacks it, as for a function of the user's.

    Args:
        function: Activation of a cell, with its own defaults; None for the identity.
    """
    if function is None:
        return _OF_BOTH["linear"]
    for module, activations in _MODULES.items():
        for name, activation in activations.items():
            if function is getattr(sys.modules.get(module), name, _ABSENT):
                return activation
    return None


_ABSENT = object()


def attributes_of(activations: Sequence[Activation]) -> dict[str, list[str] | list[float]]:
    """Return the attributes of an operator. Constants are in the order of the functions that have them."""
    constants = {
        "activation_alpha": [found.alpha for found in activations if found.alpha is not None],
        "activation_beta": [found.beta for found in activations if found.beta is not None],
    }
    return {"activations": [found.name for found in activations], **{k: v for k, v in constants.items() if v}}
