"""The engines. Each module of this folder defines some; `engine` finds them by name, or by ``module:Class``."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from tfexport.benchmark.engines.base import Engine
from tfexport.errors import EngineNotInstalledError, UnknownEngineError

__all__ = ["Engine", "engine", "engines", "installed", "missing"]


@cache
def engines(*, writes: bool = False) -> dict[str, type[Engine]]:
    """Every engine of this project, by name: those that run a model once a call, or those that write text."""
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
    """An engine by its name, or by ``module:Class``.

    Raises:
        UnknownEngineError: there is none.
    """
    known = engines(writes=writes)
    if name in known:
        return known[name]
    module, separator, attribute = name.partition(":")
    if separator:
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UnknownEngineError(f"the engine {name!r} cannot be imported: {error}.") from error
        if isinstance(found, type) and issubclass(found, Engine):
            return found
        raise UnknownEngineError(f"{name} is not an Engine of tfexport.benchmark.engines.")
    doing = "that write text" if writes else "that run a model"
    raise UnknownEngineError(
        f"there is no engine {name!r}. Engines {doing}: {', '.join(sorted(known))}; or module:Class."
    )


def missing(found: type[Engine]) -> tuple[str, ...]:
    """Packages of an engine, none of which is installed; empty when it can be imported."""
    return () if not found.packages or any(map(_is_installed, found.packages)) else found.packages


def installed(names: tuple[str, ...], *, writes: bool) -> Iterator[type[Engine]]:
    """The engines of some names.

    Raises:
        UnknownEngineError: there is none of a name.
        EngineNotInstalledError: its package is not installed.
    """
    for name in names:
        found = engine(name, writes=writes)
        lacking = missing(found)
        if lacking:
            raise EngineNotInstalledError(
                f"the engine {name} needs {' or '.join(lacking)}, not installed here. Install {found.extra or lacking[0]}."
            )
        yield found


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
