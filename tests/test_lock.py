"""requirements.lock has the versions of constraints.txt, each with hashes."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from tests.support import ROOT

NOT_LOCKED = {"torch"}
"""Its builds differ by index; `make setup` and CONTRIBUTING.md install it first, by its exact version."""
BUILD_TOOLS = {"setuptools", "wheel"}
"""Requirements of packages that `pip freeze` leaves out, and so constraints.txt too."""

LOCK = (ROOT / "requirements.lock").read_text()


def _pins(text: str) -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def test_the_versions_are_those_of_the_constraints() -> None:
    constraints = _pins((ROOT / "constraints.txt").read_text())
    locked = _pins(LOCK)
    assert {name: constraints[name] for name in constraints.keys() - NOT_LOCKED} == {
        name: locked[name] for name in locked.keys() - BUILD_TOOLS
    }


def test_every_package_has_hashes() -> None:
    packages = re.split(
        r"^(?=[A-Za-z0-9])", "\n".join(line for line in LOCK.splitlines() if line[:1] != "#"), flags=re.M
    )
    without = [
        package for package in packages if package.strip() and not re.search(r"--hash=sha256:[0-9a-f]{64}", package)
    ]
    assert without == []
    assert len(_pins(LOCK)) > 100


def test_no_index_is_named() -> None:
    assert "://" not in LOCK
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links|--trusted-host)\b", LOCK, re.MULTILINE)
