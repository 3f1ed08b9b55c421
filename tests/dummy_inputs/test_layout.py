"""Dummy documents and tables, and the inputs of Perceiver."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from transformers import LayoutLMv3ImageProcessor, PerceiverImageProcessor, PerceiverTokenizer

from conformance.zoo.tiny import tiny_config
from tfexport.declarations.features import config_factory


def _declared(model_type: str, feature: str = "default", **overrides: Any) -> Any:
    config = tiny_config(model_type, feature)
    for name, value in overrides.items():
        setattr(config, name, value)
    return config_factory(model_type, feature)(config)


@pytest.mark.parametrize("model_type", ["layoutlm", "layoutlmv3"])
@pytest.mark.parametrize("positions", [104, 1024])
def test_boxes_are_boxes(model_type: str, positions: int) -> None:
    config = _declared(model_type, max_2d_position_embeddings=positions)
    boxes = config.generate_dummy_inputs(None, batch_size=3, seq_length=50)["bbox"]
    assert boxes.shape == (3, 50, 4)
    assert boxes.dtype == np.int64
    assert (boxes[..., 0] <= boxes[..., 2]).all()
    assert (boxes[..., 1] <= boxes[..., 3]).all()
    assert boxes.min() >= 0
    assert boxes.max() <= min(1000, positions - 1)
    assert len(np.unique(boxes)) > 20


def test_pages_have_the_size_that_the_model_has_positions_for() -> None:
    config = _declared("layoutlmv3")
    made = config.generate_dummy_inputs(None, batch_size=3)
    assert list(made) == ["input_ids", "bbox", "attention_mask", "pixel_values"]
    assert made["pixel_values"].shape == (3, 3, 48, 48)
    processor = LayoutLMv3ImageProcessor(size={"height": 64, "width": 64}, apply_ocr=False)
    assert config.generate_dummy_inputs(processor)["pixel_values"].shape == (2, 3, 64, 64)


def test_a_table_has_seven_types_within_their_vocabularies() -> None:
    config = _declared("tapas")
    made = config.generate_dummy_inputs(None, batch_size=3, seq_length=40)
    types = made["token_type_ids"]
    assert types.shape == (3, 40, 7)
    assert types.dtype == np.int64
    sizes = config._config.type_vocab_sizes
    assert (types >= 0).all()
    assert all((types[..., i] < size).all() for i, size in enumerate(sizes))
    assert (types[:, :10] == 0).all()  # the question
    cells = types[:, 10:]
    assert (cells[..., 0] == 1).all()
    assert (cells[..., 1] > 0).all()
    assert (cells[..., 2] == 0).any()
    assert (cells[..., 2] > 0).any()  # the header, and rows
    numbered = [tuple(cell) for cell in cells[0, :, 1:3]]
    assert len(set(numbered)) < len(numbered)  # cells of several tokens


def test_a_text_has_one_type_per_token() -> None:
    types = _declared("layoutlm").generate_dummy_inputs(None, batch_size=3, seq_length=9)["token_type_ids"]
    assert types.shape == (3, 9)


def test_perceiver_reads_text() -> None:
    for feature in ("masked-lm", "sequence-classification"):
        config = _declared("perceiver", feature, vocab_size=262)
        for preprocessor in (None, PerceiverTokenizer()):
            made = config.generate_dummy_inputs(preprocessor, batch_size=3, seq_length=9)
            assert list(made) == ["inputs", "attention_mask"]
            assert {array.shape for array in made.values()} == {(3, 9)}
            assert made["inputs"].dtype == np.int64


def test_perceiver_reads_images() -> None:
    config = _declared("perceiver", "image-classification")
    made = config.generate_dummy_inputs(None, batch_size=3)
    assert list(made) == ["inputs"]
    assert made["inputs"].shape == (3, 3, 16, 16)
    assert made["inputs"].dtype == np.float32
    processor = PerceiverImageProcessor(size={"height": 24, "width": 24}, crop_size={"height": 32, "width": 32})
    assert config.generate_dummy_inputs(processor)["inputs"].shape == (2, 3, 24, 24)


def test_the_bare_perceiver_reads_vectors() -> None:
    config = _declared("perceiver")
    made = config.generate_dummy_inputs(None, batch_size=3, seq_length=9)
    assert made["inputs"].shape == (3, 9, 24)
    assert made["inputs"].dtype == np.float32
    again = config.generate_dummy_inputs(None, batch_size=3, seq_length=9)
    np.testing.assert_array_equal(made["inputs"], again["inputs"])
    assert made["attention_mask"].shape == (3, 9)
