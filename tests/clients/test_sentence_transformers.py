"""sentence-transformers loads the demo's export, unmodified, and embeds as it does with PyTorch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tfexport
from tests import support

pytestmark = pytest.mark.client("optimum")

PROGRAM = """
import json, sys
import numpy as np
from sentence_transformers import SentenceTransformer
folder, backend, target, texts = sys.argv[1:]
model = SentenceTransformer(folder, backend=backend, device="cpu", local_files_only=True)
np.save(target, model.encode(json.loads(texts)))
"""
TEXTS = ["A cat sits on the mat.", "The feline rests on a rug, and does not move for an hour.", "Interest rates rose."]


def _embeddings(packages: Path, folder: Path, backend: str, target: Path) -> np.ndarray:
    ran = support.python(PROGRAM, folder, backend, target, json.dumps(TEXTS), PYTHONPATH=f"{packages}:{support.ROOT}")
    assert ran.code == 0, ran.err
    found: np.ndarray = np.load(target)
    return found


def test_the_export_of_the_demo(minilm: Path, minilm_tf: Path, sentence_transformers: Path, tmp_path: Path) -> None:
    result = tfexport.export_checkpoint(minilm_tf, tmp_path / "out")
    assert not any("sentence-transformers" in caveat for caveat in result.manifest["caveats"])
    found = _embeddings(sentence_transformers, tmp_path / "out", "onnx", tmp_path / "onnx.npy")
    expected = _embeddings(sentence_transformers, minilm, "torch", tmp_path / "torch.npy")
    assert found.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_module_that_the_checkpoint_lacks(minilm_tf: Path, tmp_path: Path) -> None:
    shutil.copytree(minilm_tf, tmp_path / "minilm", ignore=shutil.ignore_patterns("1_Pooling"))
    result = tfexport.export_checkpoint(tmp_path / "minilm", tmp_path / "out")
    (caveat,) = result.manifest["caveats"]
    assert caveat.startswith("does not load in sentence-transformers: modules.json names 1_Pooling, which ")


def test_the_weights_of_a_module_are_copied(minilm_tf: Path, tmp_path: Path) -> None:
    shutil.copytree(minilm_tf, tmp_path / "minilm")
    dense = tmp_path / "minilm" / "2_Dense"
    dense.mkdir()
    (dense / "config.json").write_text("{}")
    (dense / "model.safetensors").write_bytes(b"weights of another library")
    tfexport.export_checkpoint(tmp_path / "minilm", tmp_path / "out")
    assert (tmp_path / "out" / "2_Dense" / "model.safetensors").read_bytes() == b"weights of another library"
