"""The documents name files, options and fields that exist."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.support import ROOT, python
from tfexport.cli import app
from tfexport.pipeline import manifest

PAGES = {
    page.relative_to(ROOT).as_posix(): page
    for page in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
}
README_BLOCKS = [
    block
    for block in re.findall(r"```python\n(.*?)```", PAGES["README.md"].read_text(), re.DOTALL)
    if "bert-onnx" not in block  # needs a checkpoint of the hub
]
HIDDEN = {"--export_with_transformers", "--cache_dir"}
"""Options that only exist for those who come from ``transformers.onnx``."""


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_python_imports_names_that_exist(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        for node in ast.walk(ast.parse(inspect.cleandoc(block))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("tfexport"):
                module = import_module(str(node.module))
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.slow
@pytest.mark.parametrize("block", README_BLOCKS)
def test_python_of_the_readme_runs(block: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="the examples export from TensorFlow")
    ran = python(f"import os; os.chdir({str(tmp_path)!r})\n{block}")
    assert ran.code == 0, ran.err
    assert list(tmp_path.iterdir())


def test_every_option_is_on_the_page_of_the_command_line() -> None:
    """`benchmark`, `parity` and `validate` have more options than the page shows; those of `export` are all there."""
    page = (ROOT / "docs" / "command-line.md").read_text()
    options = _options(_commands()["export"])
    assert {option for option in options - HIDDEN if option not in page} == set()


def test_every_option_on_the_page_exists() -> None:
    known = set.union(*(_options(command) for command in _commands().values()))
    page = (ROOT / "docs" / "command-line.md").read_text()
    assert set(re.findall(r"--[a-z][a-z-]*", page)) - known == {"--help"}


def test_every_field_of_the_manifest_is_described() -> None:
    page = (ROOT / "docs" / "manifest.md").read_text()
    described = set(re.findall(r"`([a-z_0-9]+)`", page))
    assert _keys(manifest.describe) | _keys(manifest._graph) <= described


def _commands() -> dict[str, Any]:
    """Return every command of the program, those of `benchmark` too."""
    group: Any = typer.main.get_command(app)
    return {**group.commands, **getattr(group.commands["benchmark"], "commands", {})}


def _options(command: Any) -> set[str]:
    return {flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")}


def _keys(function: Any) -> set[str]:
    """Return the keys of the dictionaries that a function writes out."""
    keys = (
        key
        for node in ast.walk(ast.parse(inspect.getsource(function)))
        if isinstance(node, ast.Dict)
        for key in node.keys
    )
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
