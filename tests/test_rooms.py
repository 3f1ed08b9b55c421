"""The floor plan: which room may import which, and that no room hides an import from a reader.

ARCHITECTURE.md opens with the sentence that the rooms make, from the bottom to the top. Imports are read from the code: those in
functions and under ``TYPE_CHECKING`` count like all others.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tests.support import ROOT

PACKAGE = ROOT / "tfexport"
ROOMS = (
    "text",
    "errors",
    "keywords",
    "files",
    "processes",
    "dummy_inputs",
    "checkpoints",
    "declarations",
    "backends",
    "graph",
    "runtime",
    "validation",
    "pipeline",
    "onnx",
    "reporting",
    "parity",
    "benchmark",
    "doctor",
    "cli",
)
"""From the bottom to the top: a room imports those before it, and never one after it."""
FACADES = ("__init__", "__main__")
"""Modules at the top of the package that name the public API, or start the command line: they may import every room."""


def modules() -> Iterator[tuple[str, Path]]:
    """Each module of the package by its dotted name below ``tfexport``, with its file."""
    for file in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(file.relative_to(PACKAGE).with_suffix("").parts), file


def imported(file: Path) -> Iterator[tuple[int, str]]:
    """Each module of this package that a file imports, wherever in the file, with its line."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield node.lineno, inner if _is_module(inner) else node.module


def _is_module(dotted: str) -> bool:
    path = ROOT.joinpath(*dotted.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def room(dotted: str) -> str:
    return dotted.split(".")[0]


def test_every_entry_of_the_package_is_a_room() -> None:
    found = {file.stem for file in PACKAGE.iterdir() if file.suffix == ".py" or (file / "__init__.py").is_file()}
    assert found == {*ROOMS, *FACADES}


def test_no_room_imports_one_above_it() -> None:
    climbs = []
    for name, file in modules():
        if room(name) in FACADES:
            continue
        for line, target in imported(file):
            if not target.startswith("tfexport."):
                continue
            above = room(target.removeprefix("tfexport."))
            if above in ROOMS and ROOMS.index(above) > ROOMS.index(room(name)):
                climbs.append(f"{file.relative_to(ROOT)}:{line} imports {target}")
    assert climbs == []


def test_no_circle_of_modules() -> None:
    """Modules, not rooms: within a room too, none imports a module that imports it."""
    known = {name.removesuffix(".__init__"): file for name, file in modules() if room(name) not in FACADES}
    arrows = {
        name: {
            found
            for _, target in imported(file)
            if target.startswith("tfexport.") and (found := target.removeprefix("tfexport.")) in known and found != name
        }
        for name, file in known.items()
    }
    while True:
        leaves = {name for name, targets in arrows.items() if not targets & arrows.keys()}
        if not leaves:
            break
        arrows = {name: targets - leaves for name, targets in arrows.items() if name not in leaves}
    assert arrows == {}


def test_no_module_shadows_a_name_of_its_package() -> None:
    """``package.name`` is a module or a function, and never one that hides the other."""
    shadowed = []
    for init in PACKAGE.rglob("__init__.py"):
        submodules = {file.stem for file in init.parent.iterdir() if file.suffix == ".py" or file.is_dir()}
        tree = ast.parse(init.read_text())
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        package = ".".join(("tfexport", *init.parent.relative_to(PACKAGE).parts))
        names = chain.from_iterable(
            ((alias.asname or alias.name) for alias in node.names) for node in imports if node.module != package
        )
        shadowed += [f"{init.relative_to(ROOT)}: {name}" for name in names if name in submodules]
    assert shadowed == []


def test_architecture_shows_the_tree_on_disk() -> None:
    """The table of rooms in ARCHITECTURE.md is in the order of `ROOMS`, read from the top, and leaves none out."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    shown = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text, re.MULTILINE)
    assert shown == list(ROOMS)
