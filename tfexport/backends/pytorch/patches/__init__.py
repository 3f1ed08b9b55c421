"""Patches of torch, Keras and transformers that apply while a PyTorch model is traced: one file per cause.

Each module has `VERSIONS`, the versions of the package that it changes, and `specs()`, which returns the patches of
the modules that are already imported: a patch never imports a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pkgutil import iter_modules

import torch

from tfexport.backends.versions import applicable
from tfexport.processes.patching import PatchingSpec, patched

MODULES = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))


def _specs() -> list[PatchingSpec]:
    return [spec for module in applicable(MODULES) for spec in module.specs()]


@contextmanager
def patched_torch() -> Iterator[None]:
    """Apply the patches during a block, and undo them however the block ends."""
    cached = torch.is_autocast_cache_enabled()
    try:
        with patched(_specs()):
            yield
    finally:
        torch.set_autocast_cache_enabled(cached)  # torch 2.13's TorchScript exporter leaves it off when a trace fails
