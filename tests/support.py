"""Helpers of the tests: checkpoints on disk, the command line, child processes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config

ROOT = Path(__file__).resolve().parents[1]
CHILD_SECONDS = 180
BERT_CONFIG = {"model_type": "bert", "architectures": ["BertModel"]}
FORMS = ("h5", "tf-safetensors", "pt")
"""Forms of checkpoint: ``tf_model.h5``, ``model.safetensors`` of format tf, and of format pt."""


@dataclass(frozen=True)
class Ran:
    """The exit code, standard output and standard error of a finished command."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """Lines that report an error."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


def run_in_process(arguments: Iterable[str | Path]) -> int:
    """Run the command line in this process, and return its exit code."""
    from tfexport.cli import app

    try:
        app([str(argument) for argument in arguments], prog_name="tfexport")
    except SystemExit as done:
        return int(done.code or 0)
    raise AssertionError("the command line returned without an exit code")


def python(code: str, *arguments: str | Path, **environment: str) -> Ran:
    """Run Python code in a child process that can import this project and has no network."""
    return _run([sys.executable, "-c", code, *map(str, arguments)], environment)


def tfexport(*arguments: str | Path, **environment: str) -> Ran:
    """Run ``python -m tfexport`` in a child process."""
    return _run([sys.executable, "-m", "tfexport", *map(str, arguments)], environment)


def _run(command: list[str], environment: Mapping[str, str]) -> Ran:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def write_config(folder: Path, values: Mapping[str, Any] = BERT_CONFIG) -> Path:
    """Write a folder with a ``config.json``, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))
    return folder


def write_safetensors(
    file: Path, form: str | None, names: Iterable[str] = ("bert.embeddings.word_embeddings.weight",)
) -> Path:
    """Write a safetensors file of a declared format, without a framework."""
    tensors = {name: np.arange(6, dtype=np.float32).reshape(2, 3) for name in names}
    save_file(tensors, file, metadata=None if form is None else {"format": form})
    return file


def write_hdf5(file: Path) -> Path:
    """Write a file that begins as an HDF5 file."""
    file.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    return file


def write_index(file: Path, shards: Iterable[str]) -> Path:
    """Write a shard index that names shards."""
    file.write_text(json.dumps({"metadata": {}, "weight_map": {f"w{i}": name for i, name in enumerate(shards)}}))
    return file


def checkpoints(root: Path, model_type: str, class_name: str) -> Callable[[str], Path]:
    """Return a function from a form of checkpoint to a folder that holds it; each folder is made once."""

    @cache
    def make(form: str) -> Path:
        folder = root / form
        save_tiny(folder, model_type, class_name, form)
        return folder

    return make


def save_tiny(folder: Path, model_type: str, class_name: str, form: str, **overrides: Any) -> None:
    """Save a tiny random model in a form of checkpoint."""
    config = tiny_config(model_type)
    for name, value in overrides.items():
        setattr(config, name, value)
    if form == "pt":
        tiny_model("pt", class_name, config).save_pretrained(folder)
        return
    tiny_model("tf", f"TF{class_name}", config).save_pretrained(folder, safe_serialization=form == "tf-safetensors")


def snapshot(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by relative path; empty if the folder does not exist."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def assert_complete(folder: Path) -> dict[str, Any]:
    """Assert that an export is complete: the manifest lists every file with its size and checksum. Return the manifest."""
    manifest: dict[str, Any] = json.loads((folder / "tfexport.json").read_text())
    on_disk = snapshot(folder)
    del on_disk["tfexport.json"]
    assert {name: file["sha256"] for name, file in manifest["files"].items()} == on_disk
    assert all((folder / name).stat().st_size == file["bytes"] for name, file in manifest["files"].items())
    graphs = set(manifest.get("graphs", ["model.onnx"]))
    assert graphs and graphs <= set(on_disk)
    return manifest


def assert_complete_files(folder: Path) -> None:
    """Assert that the files which a manifest lists are there as it says, whatever else is there."""
    files = json.loads((folder / "tfexport.json").read_text())["files"]
    assert files
    for name, listed in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == listed["sha256"], name


def leftovers(target: Path) -> list[str]:
    """Return the names of files that an export left beside its target."""
    return sorted(file.name for file in target.parent.iterdir() if ".tfexport-" in file.name)


def set_special_tokens(folder: Path, token: int) -> Path:
    """Set the id that begins and ends a text in a saved checkpoint, whose default may lie outside a small vocabulary."""
    for name in ("config.json", "generation_config.json"):
        if (folder / name).is_file():
            values = json.loads((folder / name).read_text()) | {"bos_token_id": token, "eos_token_id": token}
            (folder / name).write_text(json.dumps(values))
    return folder


def small_tokenizer(folder: Path, size: int = 99) -> Any:
    """Make a BERT tokenizer of `size` tokens offline, save it into a folder, and return it."""
    from transformers import BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join(special + [f"word{i}" for i in range(len(special), size)]))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64)
    tokenizer.save_pretrained(folder)
    return tokenizer
