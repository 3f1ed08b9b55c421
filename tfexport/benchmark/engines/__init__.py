"""The engines. Each module of this folder defines engines; `engine` finds one by its name, or by ``module:Class``."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tfexport.benchmark.engines.base import Engine
from tfexport.errors import EngineNotInstalledError, UnknownEngineError, first_line
from tfexport.keywords import shown

_NAMED = ("name", "description")

__all__ = ["Engine", "engine", "engines", "installed", "missing"]


@cache
def engines(*, writes: bool = False) -> dict[str, type[Engine]]:
    """Return every engine of this project by name: those that run a model once per call, or those that write text."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if (
                isinstance(value, type)
                and issubclass(value, Engine)
                and "name" in vars(value)
                and value.writes == writes
            ):
                found[value.name] = value
    return found


def engine(name: str, *, writes: bool = False) -> type[Engine]:
    """Return an engine by its name, or by ``module:Class``.

    Raises:
        UnknownEngineError: No engine has this name, or the class cannot be imported.
    """
    known = engines(writes=writes)
    if name in known:
        return known[name]
    module, separator, attribute = name.partition(":")
    if separator:
        found = _imported(name, module, attribute)
        if isinstance(found, type) and issubclass(found, Engine) and all(hasattr(found, each) for each in _NAMED):
            return found
        raise UnknownEngineError(
            f"{shown(name)} is not an engine. Expected a class that extends tfexport.benchmark.Engine, with a name and a "
            "description."
        )
    kind = "write text" if writes else "run a model"
    raise UnknownEngineError(
        f"the engine {shown(name)} does not exist. Engines that {kind}: {', '.join(sorted(known))}. Name one of them, or "
        "module:Class for your own (--engines, engines=...)."
    )


def _imported(name: str, module: str, attribute: str) -> Any:
    try:
        return getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:  # code of the user's, which may raise anything
        raise UnknownEngineError(
            f"the engine {shown(name)} cannot be imported: {type(error).__name__}: {first_line(error)}. Expected module:Class on "
            "the Python path."
        ) from error


def missing(found: type[Engine]) -> tuple[str, ...]:
    """Return the packages of an engine when none of them is installed; empty when it can be imported."""
    return () if not found.packages or any(map(_is_installed, found.packages)) else found.packages


def installed(names: tuple[str, ...], *, writes: bool) -> Iterator[type[Engine]]:
    """Yield engines by their names.

    Raises:
        UnknownEngineError: No engine has one of the names.
        EngineNotInstalledError: The package of an engine is not installed.
    """
    for name in names:
        found = engine(name, writes=writes)
        lacking = missing(found)
        if lacking:
            raise EngineNotInstalledError(
                f"the engine {name} requires {' or '.join(lacking)}, which is not installed. "
                f"Install {found.extra or lacking[0]}."
            )
        yield found


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
