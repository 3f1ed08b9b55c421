"""Fixtures for the clients: whether a client is installed, and the exports that it loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest
from filelock import FileLock

import tfexport
from conformance.real_weights import cache_folder
from tests.clients.models import CHECKPOINTS, Exported

_JS = Path(__file__).parent / "js"
_SENTENCE_TRANSFORMERS = Path(__file__).parent / "py" / "sentence-transformers.txt"
_MODULES = {"optimum": "optimum.onnxruntime", "genai": "onnxruntime_genai"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose client is not installed: the extra `clients`, or Node.js."""
    for mark in item.iter_markers("client"):
        (client,) = mark.args
        if client == "node":
            missing = [program for program in ("node", "npm") if shutil.which(program) is None]
            if missing:
                pytest.skip(f"{' and '.join(missing)} not found: transformers.js runs on Node.js")
        elif find_spec(_MODULES[client].split(".")[0]) is None:
            pytest.skip(f"{_MODULES[client]} is not installed: pip install tfexport[clients]")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """Return a function from a name of `CHECKPOINTS` to its export; each is made once."""

    @cache
    def export(name: str) -> Exported:
        made = CHECKPOINTS[name]
        folder = tmp_path_factory.mktemp("client")
        made.save(folder / "checkpoint")
        tfexport.export_checkpoint(folder / "checkpoint", folder / "exported", feature=made.feature, genai=made.genai)
        return Exported(folder / "checkpoint", folder / "exported", made.feature)

    return export


@pytest.fixture(scope="session")
def sentence_transformers() -> Path:
    """Return a folder with sentence-transformers and what it requires beside this project, installed once into the cache."""
    packages = _SENTENCE_TRANSFORMERS.read_bytes()
    installed = cache_folder() / f"sentence-transformers-{sha256(packages).hexdigest()[:12]}"
    installed.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{installed}.lock"):
        if not (installed / "complete").exists():
            shutil.rmtree(installed, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed)]
            subprocess.run([*pip, "--requirement", str(_SENTENCE_TRANSFORMERS)], check=True, timeout=300)
            (installed / "complete").touch()
    return installed


@pytest.fixture(scope="session")
def javascript() -> Path:
    """Return a folder with transformers.js and the script that runs it, installed once into the cache."""
    lock = (_JS / "package-lock.json").read_bytes()
    installed = cache_folder() / f"clients-js-{sha256(lock).hexdigest()[:12]}"
    installed.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{installed}.lock"):
        if not (installed / "complete").exists():
            shutil.rmtree(installed, ignore_errors=True)
            installed.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(_JS / name, installed / name)
            # Its script would fetch ONNX Runtime's CUDA libraries; those for the CPU are in the package.
            subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                cwd=installed,
                env={**os.environ, "ONNXRUNTIME_NODE_INSTALL": "skip"},
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=300,
            )
            (installed / "complete").touch()
        shutil.copyfile(_JS / "run.mjs", installed / "run.mjs")
    return installed
