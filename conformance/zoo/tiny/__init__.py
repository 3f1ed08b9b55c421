"""Tiny configurations of every declared model type, one module per family.

Dimensions differ from one another (heads, layers, hidden, intermediate, vocabulary), so that a mixed-up axis shows.
Weights have a wide distribution (``initializer_range`` 0.3): with the usual 0.02 every output is nearly the same, and a
broken graph would pass.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from transformers import CONFIG_MAPPING

from conformance.zoo.tiny.sizes import Tiny
from tfexport.declarations.tasks import normalise

WIDE = 0.3
_RANGES = ("initializer_range", "init_std", "embed_init_std")

TINY: dict[str, Tiny] = {}
for _module in iter_modules(__path__):
    TINY |= getattr(import_module(f"{__name__}.{_module.name}"), "TINY", {})

_TYPES = {normalise(name): name for name in CONFIG_MAPPING}


def tiny_config(model_type: str, feature: str = "default") -> Any:
    """Return a tiny configuration of a model type for a feature."""
    tiny = TINY[model_type]
    if callable(tiny):
        return tiny(feature)
    labels = {"num_labels": 2} if feature.endswith("question-answering") else {}  # a start and an end
    return wide_config(_TYPES[model_type], **{**tiny, **labels})


def wide_config(model_type: str, **values: Any) -> Any:
    """Return a configuration with widely distributed weights; `model_type` has transformers' own spelling."""
    config_class = CONFIG_MAPPING[model_type]
    known = vars(config_class())
    return config_class(**{**{name: WIDE for name in _RANGES if name in known}, **values})
