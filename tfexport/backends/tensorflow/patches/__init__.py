"""What is replaced in Keras and transformers while a TensorFlow model is traced: one file a cause.

Each module has `specs()`: the patches for what is imported already, so that no model is imported for a patch's sake.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from pkgutil import iter_modules

from tfexport.patching import PatchingSpec, patched

_MODULES = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))


def _specs() -> list[PatchingSpec]:
    return [spec for module in _MODULES for spec in module.specs()]


def patched_tensorflow() -> AbstractContextManager[None]:
    """Patch for the duration of a block; undone however the block ends."""
    return patched(_specs())
