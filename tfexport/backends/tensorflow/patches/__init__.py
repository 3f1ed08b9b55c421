"""Patches of TensorFlow, Keras and transformers that apply while a TensorFlow model is traced: one file per cause.

Each module has `VERSIONS`, the versions of the package that it changes, and `specs()`, which returns the patches of
the modules that are already imported: a patch never imports a model. Patches of transformers apply only to models of
transformers; all others apply to every model.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from pkgutil import iter_modules

from tfexport.backends.versions import applicable
from tfexport.processes.patching import PatchingSpec, patched

MODULES = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))


def _specs(of_transformers: bool = True) -> list[PatchingSpec]:
    found = [module for module in applicable(MODULES) if of_transformers or module.VERSIONS.package != "transformers"]
    return [spec for module in found for spec in module.specs()]


def patched_tensorflow(of_transformers: bool = True) -> AbstractContextManager[None]:
    """Apply the patches during a block, and undo them however the block ends.

    Args:
        of_transformers: Whether the model belongs to transformers.
    """
    return patched(_specs(of_transformers))
