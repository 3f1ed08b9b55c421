"""What is replaced in Keras and transformers while a TensorFlow model is traced: one file a cause.

Each module has `specs()`: the patches for what is imported already, so that no model is imported for a patch's sake. Those
with ``FOR_ALL`` are of Keras itself and true for every model; the others know models of transformers, and apply to these alone.
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
    """Patch for the duration of a block; undone however the block ends.

    Args:
        of_transformers: whether the model is one of transformers.
    """
    return patched(_specs(of_transformers))
