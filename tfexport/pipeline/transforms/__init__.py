"""Transforms: each makes a variant of the files of an export. One file per transform, found by walking this folder.

A module has ``TRANSFORM``, an object with the members of `tfexport.pipeline.transforms.base.Transform`. No transform ships yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

from tfexport.errors import InputsError
from tfexport.pipeline.transforms.base import Transform


def _walked() -> dict[str, Transform]:
    """Import each module of this folder, and return the transforms by name."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return {module.TRANSFORM.name: module.TRANSFORM for module in modules if hasattr(module, "TRANSFORM")}


TRANSFORMS = _walked()
"""All transforms by name."""


def find_transforms(names: Sequence[str]) -> tuple[Transform, ...]:
    """Return transforms by name.

    Raises:
        InputsError: A name is not that of a transform.
    """
    unknown = [name for name in names if name not in TRANSFORMS]
    if unknown:
        raise InputsError(
            f"{unknown[0]!r} is not a transform; the transforms are {', '.join(TRANSFORMS) or 'none yet'} (Writing.transforms)."
        )
    return tuple(TRANSFORMS[name] for name in names)
