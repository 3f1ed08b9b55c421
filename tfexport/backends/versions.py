"""The package, and the versions of it, for which a patch or an op handler was written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from types import ModuleType

from packaging.specifiers import SpecifierSet


@dataclass(frozen=True)
class Versions:
    """Versions of one package.

    Attributes:
        package: Name of the package that the patch changes, or that calls the handler.
        specifier: Versions with the defect, as pip writes them: ``>=4.57,<5``.
    """

    package: str
    specifier: str

    def __contains__(self, found: str) -> bool:
        return SpecifierSet(self.specifier, prereleases=True).contains(found)

    def __str__(self) -> str:
        return f"{self.package}{self.specifier}"

    @property
    def installed(self) -> str | None:
        """The version that is installed; None where the package is not."""
        return _installed(self.package)

    @property
    def include_installed(self) -> bool:
        """Whether the installed version is one of these. A patch of a package that is not installed does not apply."""
        return self.installed is not None and self.installed in self


@cache
def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return _version_of_module(package.replace("-", "_"))


def _version_of_module(module: str) -> str | None:
    """Version of the distribution that holds a module, such as tensorflow-cpu."""
    if find_spec(module) is None:
        return None
    found = packages_distributions().get(module, ())
    return version(found[0]) if found else None


def applicable(modules: Iterable[ModuleType]) -> list[ModuleType]:
    """Return the modules whose ``VERSIONS`` include the version that is installed."""
    return [module for module in modules if module.VERSIONS.include_installed]


def not_applied(modules: Iterable[ModuleType]) -> list[str]:
    """Return one sentence per module that does not apply to the installed version of its package.

    A package that is not installed needs no patch, and is left out.
    """
    return [
        f"{module.__name__.rpartition('.')[2]} is for {module.VERSIONS}, and {module.VERSIONS.installed} is installed"
        for module in modules
        if module.VERSIONS.installed is not None and not module.VERSIONS.include_installed
    ]
