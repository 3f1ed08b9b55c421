"""TensorFlow weights of BART, exported from PyTorch: tied embeddings, and a bias that is not a parameter there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("tensorflow", reason="the checkpoint is TensorFlow's")
pytest.importorskip("torch", reason="the exporter is PyTorch's")

import tfexport
from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config


def test_the_file_computes_what_tensorflow_does(tmp_path: Path) -> None:
    model = tiny_model("tf", "TFBartForConditionalGeneration", tiny_config("bart", "seq2seq-lm"))
    model.save_pretrained(tmp_path / "bart")
    result = tfexport.export_checkpoint(
        tmp_path / "bart", tmp_path / "out", feature="seq2seq-lm", framework="pt", monolith=True
    )
    assert result.valid
    assert result.manifest["source"]["missing_weights"] == []
    random = np.random.default_rng(0)
    ids, decoder_ids = random.integers(5, 90, (2, 9)), random.integers(5, 90, (2, 4))
    masks = {"attention_mask": np.ones_like(ids), "decoder_attention_mask": np.ones_like(decoder_ids)}
    feeds = {"input_ids": ids, "decoder_input_ids": decoder_ids, **masks}
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], feeds)
    np.testing.assert_allclose(found, model(feeds, training=False).logits.numpy(), atol=1e-4)
