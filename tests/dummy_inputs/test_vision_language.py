"""Dummy inputs of models that read images and text, with a processor and from the configuration only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from conformance.zoo.tiny import tiny_config
from tests.support import small_tokenizer
from tfexport.declarations.features import config_factory
from tfexport.validation import case_inputs, standard_cases

DUAL = ("blip", "chinese-clip", "clip", "groupvit", "owlvit", "vision-text-dual-encoder")
ENDED = ("clip", "groupvit", "owlvit", "clip-text-model")
"""Types that read the state at the end of a text."""


def _declared(model_type: str, feature: str = "default", **of_text: Any) -> Any:
    config = tiny_config(model_type, feature)
    for name, value in of_text.items():
        setattr(getattr(config, "text_config", config), name, value)
    return config_factory(model_type, feature)(config)


def _clip_tokenizer(folder: Path, **special: str) -> Any:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["!", *letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), **special)


@pytest.fixture
def clip_processor(tmp_path: Path) -> Any:
    """Return CLIP's processor, which pads with the end-of-text token."""
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32})
    return transformers.CLIPProcessor(images, _clip_tokenizer(tmp_path))


@pytest.fixture
def owlvit_processor(tmp_path: Path) -> Any:
    """Return OWL-ViT's processor, which pads with the first token of the vocabulary."""
    images = transformers.OwlViTImageProcessor(size={"height": 32, "width": 32})
    return transformers.OwlViTProcessor(images, _clip_tokenizer(tmp_path, pad_token="!"))


@pytest.fixture
def blip_processor(tmp_path: Path) -> Any:
    images = transformers.BlipImageProcessor(size={"height": 32, "width": 32})
    return transformers.BlipProcessor(images, small_tokenizer(tmp_path))


@pytest.fixture
def dual_processor(tmp_path: Path) -> Any:
    images = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    return transformers.VisionTextDualEncoderProcessor(images, small_tokenizer(tmp_path))


def _shapes(arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}


@pytest.mark.parametrize("model_type", DUAL)
def test_texts_and_images_from_the_configuration(model_type: str) -> None:
    made = _declared(model_type).generate_dummy_inputs(None, batch_size=4, seq_length=6)
    assert _shapes(made) == {"input_ids": (4, 6), "pixel_values": (4, 3, 32, 32), "attention_mask": (4, 6)}
    assert [array.dtype for array in made.values()] == [np.int64, np.float32, np.int64]
    assert made["input_ids"].min() >= 0
    assert made["input_ids"].max() < 99


@pytest.mark.parametrize("model_type", DUAL)
def test_the_numbers_of_images_and_texts_differ(model_type: str) -> None:
    config = _declared(model_type)
    traced = case_inputs(config, None, None, "np")
    assert (len(traced["input_ids"]), len(traced["pixel_values"])) == (3, 2)
    numbers = set()
    for case in standard_cases(config):
        made = case_inputs(config, None, case, "np")
        assert (len(made["input_ids"]), len(made["pixel_values"])) == (case.batch, case.images)
        numbers.add((case.batch, case.images))
    assert {(1, 1), (3, 2), (5, 3)} <= numbers
    assert f"and {case.images} images" in case.name


@pytest.mark.parametrize(
    ("processor", "model_type"),
    [("clip_processor", "clip"), ("owlvit_processor", "owlvit"), ("clip_processor", "groupvit")],
)
def test_a_text_begins_and_ends_as_its_tokenizer_has_it(
    processor: str, model_type: str, request: pytest.FixtureRequest
) -> None:
    both = request.getfixturevalue(processor)
    made = _declared(model_type).generate_dummy_inputs(both, batch_size=2, seq_length=7)
    expected = both(text=["a b c d e", "f g h i j"], images=np.zeros((2, 50, 60, 3), np.uint8), return_tensors="np")
    assert _shapes(made) == {name: expected[name].shape for name in made}
    np.testing.assert_array_equal(made["input_ids"][:, [0, -1]], expected["input_ids"][:, [0, -1]])
    inner = made["input_ids"][:, 1:-1]
    assert not set(inner.ravel()) & set(both.tokenizer.all_special_ids)
    assert inner.max() < len(both.tokenizer)


@pytest.mark.parametrize(
    ("processor", "model_type", "feature"),
    [
        ("blip_processor", "blip", "default"),
        ("blip_processor", "blip", "vision2seq-lm"),
        ("dual_processor", "vision-text-dual-encoder", "default"),
        ("dual_processor", "chinese-clip", "default"),
    ],
)
def test_texts_of_bert(processor: str, model_type: str, feature: str, request: pytest.FixtureRequest) -> None:
    both = request.getfixturevalue(processor)
    config = _declared(model_type, feature)
    made = config.generate_dummy_inputs(both, batch_size=2, seq_length=9)
    assert list(made) == list(config.inputs)
    assert made["pixel_values"].shape == (2, 3, 32, 32)
    assert (made["input_ids"][:, 0] == both.tokenizer.cls_token_id).all()
    assert (made["input_ids"][:, -1] == both.tokenizer.sep_token_id).all()
    mean = np.mean(both.image_processor.image_mean)
    assert made["pixel_values"].mean() == pytest.approx((0.5 - mean) / np.mean(both.image_processor.image_std), abs=0.1)


@pytest.mark.parametrize("model_type", ENDED)
@pytest.mark.parametrize("end", [98, 77, 2])
def test_a_text_has_an_end_without_a_tokenizer_too(model_type: str, end: int) -> None:
    """The models look for ``eos_token_id``, or for the highest id where it is 2, as in CLIP's oldest configurations."""
    config = _declared(model_type, eos_token_id=end)
    for case in standard_cases(config):
        made = case_inputs(config, None, case, "np")
        if case.sequence == 1:
            continue
        wanted = 98 if end == 2 else end
        last = made["attention_mask"].shape[1] - 1 - made["attention_mask"][:, ::-1].argmax(axis=1)
        rows = np.arange(len(last))
        assert (made["input_ids"][rows, last] == wanted).all()
        found = made["input_ids"] == end if end != 2 else made["input_ids"]
        np.testing.assert_array_equal(found.argmax(axis=1), last)  # the model reads the state at the first of these


def test_padding_leaves_the_end_of_a_text(clip_processor: Any, owlvit_processor: Any) -> None:
    for processor, model_type in ((clip_processor, "clip"), (owlvit_processor, "owlvit")):
        config = _declared(model_type)
        tokenizer = processor.tokenizer
        (padded,) = (case for case in standard_cases(config) if case.padding == "right")
        made = case_inputs(config, processor, padded, "np")
        lengths = made["attention_mask"].sum(axis=1)
        assert len(set(lengths)) > 1
        for row, length in zip(made["input_ids"], lengths, strict=True):
            assert row[0] == tokenizer.bos_token_id
            assert row[length - 1] == tokenizer.eos_token_id
            assert (row[length:] == tokenizer.pad_token_id).all()


def test_idefics_has_several_images_per_text() -> None:
    config = _declared("idefics")
    made = config.generate_dummy_inputs(None)
    assert _shapes(made) == {
        "input_ids": (2, 8),
        "attention_mask": (2, 8),
        "pixel_values": (2, 2, 3, 32, 32),
        "image_attention_mask": (2, 8, 2),
    }
    images = {case_inputs(config, None, case, "np")["pixel_values"].shape[1] for case in standard_cases(config)}
    assert len(images) > 2
    assert 1 in images
    assert set(np.unique(made["image_attention_mask"])) == {0, 1}
    many = config.generate_dummy_inputs(None, batch_size=16, seq_length=50)["input_ids"]
    assert 99 <= many.max() < 103  # additional tokens after the vocabulary of the text model


def test_lxmert_has_regions_of_an_image() -> None:
    config = _declared("lxmert")
    made = config.generate_dummy_inputs(None, batch_size=3, seq_length=5)
    assert _shapes(made) == {
        "input_ids": (3, 5),
        "visual_feats": (3, 8, 18),
        "visual_pos": (3, 8, 4),
        "attention_mask": (3, 5),
        "token_type_ids": (3, 5),
    }
    left_top, right_bottom = made["visual_pos"][..., :2], made["visual_pos"][..., 2:]
    assert (left_top >= 0).all()
    assert (left_top <= right_bottom).all()
    assert (right_bottom <= 1).all()


def test_a_vision_encoder_decoder_reads_its_decoders_vocabulary(tmp_path: Path) -> None:
    config = _declared("vision-encoder-decoder", "vision2seq-lm")
    for processor in (None, transformers.ViTImageProcessor(size={"height": 32, "width": 32})):
        made = config.generate_dummy_inputs(processor, batch_size=3, seq_length=6)
        assert _shapes(made) == {"pixel_values": (3, 3, 32, 32), "decoder_input_ids": (3, 6)}
        assert (made["decoder_input_ids"][:, 0] == 97).all()
        assert made["decoder_input_ids"].max() < 99


def test_a_single_encoder_needs_only_its_own_inputs() -> None:
    assert _shapes(_declared("clip", "image-classification").generate_dummy_inputs(None)) == {
        "pixel_values": (3, 3, 32, 32)
    }
    assert _shapes(_declared("clip-vision-model").generate_dummy_inputs(None)) == {"pixel_values": (2, 3, 32, 32)}
    assert list(_declared("clip-text-model").generate_dummy_inputs(None)) == ["input_ids", "attention_mask"]
