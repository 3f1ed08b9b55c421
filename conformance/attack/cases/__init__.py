"""The tables of cases, one module per area."""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from conformance.attack.case import Case


@cache
def all_cases(seeds: Path | None = None) -> tuple[Case, ...]:
    """Return all cases, found by walking this folder.

    Args:
        seeds: Folder of the seeds, for the cases of walks through their documents; None leaves these cases out.
    """
    modules = [import_module(f"{__name__}.{name}") for name in areas()]
    found = [case for module in modules for case in module.cases()]
    if seeds is not None:
        found += [case for module in modules if hasattr(module, "walks") for case in module.walks(seeds)]
    counts = Counter(map(str, found))
    repeated = [name for name, count in counts.items() if count > 1]
    assert not repeated, f"several cases have one name: {repeated[:3]}"
    return tuple(found)


def areas() -> list[str]:
    """Return the names of the modules."""
    return sorted(module.name for module in iter_modules(__path__))
