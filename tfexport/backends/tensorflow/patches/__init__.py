"""Patches of Keras and transformers that apply while a TensorFlow model is traced: one file per cause.

Each module has `specs()`, which returns the patches of the modules that are already imported: a patch never imports a model.
Modules with ``FOR_ALL`` patch Keras or TensorFlow itself and apply to every model. The others apply only to models of
transformers.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from pkgutil import iter_modules

from tfexport.declarations.patching import PatchingSpec, patched

_MODULES = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))


def _specs(of_transformers: bool = True) -> list[PatchingSpec]:
    modules = [module for module in _MODULES if of_transformers or getattr(module, "FOR_ALL", False)]
    return [spec for module in modules for spec in module.specs()]


def patched_tensorflow(of_transformers: bool = True) -> AbstractContextManager[None]:
    """Apply the patches during a block, and undo them however the block ends.

    Args:
        of_transformers: whether the model belongs to transformers.
    """
    return patched(_specs(of_transformers))
