"""Loading into PyTorch classes: from PyTorch checkpoints, and from TensorFlow checkpoints, which are converted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch backend's tests need PyTorch")

from conformance.zoo.models import tiny_model  # noqa: E402
from conformance.zoo.tiny import tiny_config  # noqa: E402
from tests.backends.test_pytorch import converted, tiny, traced_inputs  # noqa: E402
from tfexport.backends.pytorch import BACKEND  # noqa: E402
from tfexport.checkpoints.checkpoint import open_checkpoint  # noqa: E402
from tfexport.checkpoints.framework import decide  # noqa: E402
from tfexport.declarations.features import config_factory, model_class  # noqa: E402
from tfexport.errors import (  # noqa: E402
    CorruptCheckpointError,
    MismatchedWeightsError,
    UnsupportedFeatureError,
)


def load(folder: Path, feature: str, model_type: str = "bert") -> Any:
    checkpoint = open_checkpoint(folder)
    choice = decide("pt", checkpoint.weights, {"pt", "tf"}, checkpoint.source)
    return BACKEND.load(checkpoint, model_class(model_type, feature, "pt"), choice)


class TestLoading:
    def test_a_whole_checkpoint(self, tmp_path: Path) -> None:
        model, declaration = tiny("bert", "masked-lm")
        model.save_pretrained(tmp_path)
        loaded = load(tmp_path, "masked-lm")
        assert loaded.missing_weights == frozenset()
        assert loaded.model_class == "BertForMaskedLM"
        assert not loaded.model.training
        assert loaded.model.config._attn_implementation == "eager"
        inputs = traced_inputs(declaration)
        expected = BACKEND.run(model, declaration, inputs)["logits"]
        np.testing.assert_array_equal(BACKEND.run(loaded.model, declaration, inputs)["logits"], expected)

    def test_missing_weights_are_named_as_in_the_graph(self, tmp_path: Path) -> None:
        model, _ = tiny("bert")
        model.save_pretrained(tmp_path)
        loaded = load(tmp_path, "masked-lm")
        declaration = config_factory("bert", "masked-lm")(loaded.model.config)
        assert "cls.predictions.bias" in loaded.missing_weights
        assert "bert.embeddings.word_embeddings.weight" not in loaded.missing_weights
        assert loaded.missing_weights <= converted(loaded.model, declaration).weight_names

    def test_tensorflow_weights_without_a_class_of_tensorflow(self, tmp_path: Path) -> None:
        """transformers 4.57 has BartForQuestionAnswering and no TFBartForQuestionAnswering."""
        tiny_model("tf", "TFBartModel", tiny_config("bart")).save_pretrained(tmp_path, safe_serialization=False)
        with pytest.raises(UnsupportedFeatureError, match=r"no class TFBartForQuestionAnswering that reads them"):
            load(tmp_path, "question-answering", "bart")

    def test_weights_that_do_not_fit(self, tmp_path: Path) -> None:
        model, _ = tiny("bert", "sequence-classification")
        model.save_pretrained(tmp_path)
        model.config.num_labels = 5
        model.config.save_pretrained(tmp_path)
        with pytest.raises(MismatchedWeightsError, match="BertForSequenceClassification"):
            load(tmp_path, "sequence-classification")

    def test_a_truncated_file(self, tmp_path: Path) -> None:
        model, _ = tiny("bert")
        torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
        model.config.save_pretrained(tmp_path)
        whole = (tmp_path / "pytorch_model.bin").read_bytes()
        (tmp_path / "pytorch_model.bin").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(CorruptCheckpointError):
            load(tmp_path, "default")


@pytest.mark.filterwarnings("ignore")
class TestTensorFlowCheckpoints:
    @pytest.fixture(autouse=True)
    def _tensorflow(self) -> None:
        pytest.importorskip("tensorflow", reason="TensorFlow weights are converted through TensorFlow")

    @pytest.mark.parametrize("safe", [False, True], ids=["h5", "safetensors"])
    def test_are_converted(self, safe: bool, tmp_path: Path) -> None:
        from tfexport.backends import get_backend

        config = tiny_config("bert", "masked-lm")
        original = tiny_model("tf", "TFBertForMaskedLM", config)
        original.save_pretrained(tmp_path, safe_serialization=safe)
        loaded = load(tmp_path, "masked-lm")
        assert loaded.missing_weights == frozenset()
        tied = loaded.model.cls.predictions.decoder.weight
        assert tied is loaded.model.bert.embeddings.word_embeddings.weight
        declaration = config_factory("bert", "masked-lm")(config)
        inputs = traced_inputs(declaration)
        expected = get_backend("tf").run(original, declaration, inputs)["logits"]
        np.testing.assert_allclose(BACKEND.run(loaded.model, declaration, inputs)["logits"], expected, atol=2e-5)

    def test_missing_weights_are_named_as_in_the_graph(self, tmp_path: Path) -> None:
        tiny_model("tf", "TFBertModel", tiny_config("bert")).save_pretrained(tmp_path)
        loaded = load(tmp_path, "sequence-classification")
        assert loaded.missing_weights == {"classifier.weight", "classifier.bias"}

    def test_weights_that_pytorch_ties_and_tensorflow_does_not(self, tmp_path: Path) -> None:
        config = tiny_config("mobilebert", "masked-lm")
        tiny_model("tf", "TFMobileBertForMaskedLM", config).save_pretrained(tmp_path)
        with pytest.raises(MismatchedWeightsError, match="decoder/weight and .*word_embeddings.* differ"):
            load(tmp_path, "masked-lm", "mobilebert")
