"""Dummy inputs have exactly the requested shapes, with and without a tokenizer, in each framework."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, BertConfig, PreTrainedTokenizerFast, TensorType

import tfexport
from conformance.zoo.tiny import tiny_config
from tests.onnx.declared import BART, GPT2, T5, gpt_like, t5_like
from tfexport.declarations.architectures import declarations
from tfexport.declarations.features import config_factory
from tfexport.declarations.framework_tensors import to_framework
from tfexport.dummy_inputs import Sizes, pad_rows
from tfexport.errors import InputsError, UnknownFrameworkError
from tfexport.validation import flatten_inputs

PAIRS = [(name, feature) for name, declared in declarations().items() for feature in declared.features]
SIZES = {"batch": 3, "choice": 2, "sequence": 5}


def _declared(model_type: str, feature: str = "default", **overrides: Any) -> Any:
    config = tiny_config(model_type, feature)
    for name, value in overrides.items():
        setattr(config, name, value)
    return config_factory(model_type, feature)(config)


@pytest.fixture(scope="module")
def bert_tokenizer(minilm: Path) -> Any:
    """Return a trained BERT tokenizer with 30522 tokens."""
    return AutoTokenizer.from_pretrained(str(minilm))


@pytest.fixture(scope="module")
def bytes_tokenizer() -> Any:
    """Return a tokenizer without special tokens, not even one for unknown words."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=core)
    assert made.unk_token is None
    assert made.pad_token is None
    return made


_FLOATS = (
    "pixel_values",
    "input_values",
    "input_features",
    "noise",
    "input_points",
    "visual_feats",
    "visual_pos",
    "doc_scores",
)


@pytest.mark.parametrize(("model_type", "feature"), PAIRS)
def test_every_declared_input_has_the_shape_asked_for(model_type: str, feature: str) -> None:
    config = _declared(model_type, feature)
    made = config.generate_dummy_inputs(
        None, batch_size=3, seq_length=7, num_choices=2, image_height=96, image_width=64, time_duration=0.5
    )
    asked = {"batch": 3, "text_batch": 3, "image_batch": 3, "choice": 2, "height": 96, "width": 64}
    asked |= {"samples": 8_000, "frames": 50, "sequence": 7, "encoder_sequence": 7, "decoder_sequence": 7}
    made = flatten_inputs(config, made)
    assert list(made) == list(config.inputs)
    for name, axes in config.inputs.items():
        for axis, label in axes.items():
            if label in asked:
                assert made[name].shape[axis] == asked[label], (name, label)
        is_float = name.startswith("past_key_values") or name in _FLOATS
        is_float = is_float or (name == "inputs" and feature in ("default", "image-classification"))
        expected = np.float32 if is_float else bool if name == "bool_masked_pos" else np.int64
        assert made[name].dtype == expected, name
        assert np.isfinite(made[name]).all()
        if name.endswith("input_ids") and made[name].shape[1] > 1:
            assert len(set(made[name].ravel().tolist())) > 3


def test_sizes_default_to_the_declarations() -> None:
    made = _declared("bert", "multiple-choice").generate_dummy_inputs(None)
    assert {value.shape for value in made.values()} == {(2, 4, 8)}
    assert _declared("bert").generate_dummy_inputs(None, batch_size=1, seq_length=1)["input_ids"].shape == (1, 1)


@pytest.mark.parametrize("length", [1, 2, 3, 8, 17])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_tokenizer_does_not_change_the_shape(bert_tokenizer: Any, batch: int, length: int) -> None:
    config = _declared("bert", vocab_size=len(bert_tokenizer))
    made = config.generate_dummy_inputs(bert_tokenizer, batch_size=batch, seq_length=length)
    assert {value.shape for value in made.values()} == {(batch, length)}
    if length > 2:
        assert set(made["input_ids"][:, 0]) == {bert_tokenizer.cls_token_id}
        assert set(made["input_ids"][:, -1]) == {bert_tokenizer.sep_token_id}
        inner = made["input_ids"][:, 1:-1]
        assert not set(inner.ravel().tolist()) & set(bert_tokenizer.all_special_ids)


@pytest.mark.parametrize("length", [1, 2, 8, 13])
def test_a_tokenizer_without_an_unknown_token(bytes_tokenizer: Any, length: int) -> None:
    config = _declared("gpt2", vocab_size=len(bytes_tokenizer))
    made = config.generate_dummy_inputs(bytes_tokenizer, batch_size=3, seq_length=length)
    assert {value.shape for value in made.values()} == {(3, length)}


def test_ids_fit_the_model_when_the_tokenizer_has_more(bert_tokenizer: Any) -> None:
    config = _declared("bert", vocab_size=99)
    made = config.generate_dummy_inputs(bert_tokenizer, batch_size=16, seq_length=40)["input_ids"]
    inner = made[:, 1:-1]
    assert inner.max() < 99


def test_choices_with_a_tokenizer(bert_tokenizer: Any) -> None:
    config = _declared("bert", "multiple-choice", vocab_size=len(bert_tokenizer))
    made = config.generate_dummy_inputs(bert_tokenizer, batch_size=3, seq_length=7, num_choices=5)
    assert {value.shape for value in made.values()} == {(3, 5, 7)}
    assert (made["input_ids"][..., 0] == bert_tokenizer.cls_token_id).all()


def test_the_same_shape_has_the_same_values_and_another_shape_others() -> None:
    config = _declared("bert")
    first, again, other = (config.generate_dummy_inputs(None, seq_length=n)["input_ids"] for n in (9, 9, 10))
    np.testing.assert_array_equal(first, again)
    assert (first != other[:, :9]).any()
    assert (first[0] != first[1]).any()


def test_a_pair_has_two_token_types() -> None:
    made = _declared("bert").generate_dummy_inputs(None, batch_size=2, seq_length=9, is_pair=True)
    np.testing.assert_array_equal(made["token_type_ids"], [[0] * 4 + [1] * 5] * 2)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_token_types_are_those_that_the_model_has(size: int) -> None:
    types = _declared("bert", type_vocab_size=size).generate_dummy_inputs(None, batch_size=8, seq_length=16)
    assert set(np.unique(types["token_type_ids"])) == set(range(min(size, 2)))


@pytest.mark.parametrize("framework", [None, "np", TensorType.NUMPY])
def test_numpy(framework: Any) -> None:
    made = _declared("bert").generate_dummy_inputs(None, framework=framework)
    assert {type(value) for value in made.values()} == {np.ndarray}


@pytest.mark.parametrize("framework", ["tf", TensorType.TENSORFLOW])
def test_tensorflow(framework: Any) -> None:
    import tensorflow as tf

    made = gpt_like(tfexport).with_past(GPT2).generate_dummy_inputs(None, framework=framework)
    assert all(isinstance(value, tf.Tensor) for value in _leaves(made))
    assert made["input_ids"].dtype == tf.int64
    assert made["past_key_values"][0][0].dtype == tf.float32


@pytest.mark.parametrize("framework", ["pt", TensorType.PYTORCH])
def test_pytorch(framework: Any) -> None:
    import torch

    made = gpt_like(tfexport).with_past(GPT2).generate_dummy_inputs(None, framework=framework)
    assert all(isinstance(value, torch.Tensor) for value in _leaves(made))
    assert made["input_ids"].dtype == torch.int64
    assert made["past_key_values"][0][0].dtype == torch.float32


@pytest.mark.parametrize("framework", ["jax", "", 7])
def test_another_framework(framework: Any) -> None:
    with pytest.raises(UnknownFrameworkError):
        _declared("bert").generate_dummy_inputs(None, framework=framework)


def test_frameworks_get_the_same_values() -> None:
    arrays = {"a": np.arange(4, dtype=np.int64), "b": [(np.ones(2, np.float32), np.zeros(3, np.float32))]}
    for framework in ("tf", "pt"):
        made = to_framework(arrays, framework)
        np.testing.assert_array_equal(made["a"].numpy(), arrays["a"])
        assert isinstance(made["b"], list)
        assert isinstance(made["b"][0], tuple)
        np.testing.assert_array_equal(made["b"][0][1].numpy(), np.zeros(3))


def test_the_deprecated_name_of_the_preprocessor(bert_tokenizer: Any) -> None:
    config = _declared("bert", vocab_size=len(bert_tokenizer))
    with pytest.warns(FutureWarning, match="use `preprocessor`"):
        made = config.generate_dummy_inputs(None, tokenizer=bert_tokenizer)
    np.testing.assert_array_equal(made["input_ids"], config.generate_dummy_inputs(bert_tokenizer)["input_ids"])
    with pytest.raises(InputsError, match="Both `tokenizer` and `preprocessor`"):
        config.generate_dummy_inputs(bert_tokenizer, tokenizer=bert_tokenizer)


@pytest.mark.parametrize("length", [1, 6])
def test_past_of_a_decoder(length: int) -> None:
    made = gpt_like(tfexport).with_past(GPT2).generate_dummy_inputs(None, batch_size=3, seq_length=length)
    past = made["past_key_values"]
    assert len(past) == 3
    assert {len(layer) for layer in past} == {2}
    assert {tensor.shape for layer in past for tensor in layer} == {(3, 4, length + 2, 8)}
    assert made["input_ids"].shape == (3, length)
    assert made["attention_mask"].shape == (3, 2 * length + 2)
    assert made["attention_mask"].dtype == np.int64


def test_past_of_a_decoder_has_the_shapes_that_the_seed_gives_it(bert_tokenizer: Any) -> None:
    import transformers.onnx as seed

    theirs = (
        gpt_like(seed)
        .with_past(GPT2)
        .generate_dummy_inputs(bert_tokenizer, batch_size=3, seq_length=7, framework=TensorType.PYTORCH)
    )
    ours = gpt_like(tfexport).with_past(GPT2).generate_dummy_inputs(bert_tokenizer, batch_size=3, seq_length=7)
    assert {name: _shapes(ours[name]) for name in ours} == {name: _shapes(theirs[name]) for name in ours}


@pytest.mark.parametrize(
    ("config", "layers", "decoder", "encoder"),
    [(T5, 5, (3, 3, 9, 12), (3, 3, 6, 12)), (BART, 2, (3, 6, 9, 4), (3, 6, 6, 4))],
)
def test_past_of_an_encoder_decoder(config: Any, layers: int, decoder: Any, encoder: Any) -> None:
    made = t5_like(tfexport).with_past(config).generate_dummy_inputs(None, batch_size=3, seq_length=6)
    past = made["past_key_values"]
    assert [_shapes(layer) for layer in past] == [[decoder, decoder, encoder, encoder]] * layers
    assert made["decoder_input_ids"].shape == (3, 1)
    assert made["decoder_attention_mask"].shape == (3, 9 + 1)
    assert made["decoder_attention_mask"].dtype == np.int64
    assert made["attention_mask"].shape == made["input_ids"].shape == (3, 6)


def test_without_past_there_is_none() -> None:
    made = t5_like(tfexport)(T5).generate_dummy_inputs(None, batch_size=3, seq_length=6)
    assert {name: value.shape for name, value in made.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask"), (3, 6)
    )


class _Strange(tfexport.OnnxConfig):
    inputs = {"input_ids": {0: "batch", 1: "sequence"}, "phase_of_the_moon": {0: "batch"}}


class _Unmeasured(tfexport.OnnxConfig):
    inputs = {"input_ids": {0: "batch", 1: "breadth"}}


def test_an_unknown_input() -> None:
    with pytest.raises(InputsError, match=r"'phase_of_the_moon'.*Override generate_dummy_inputs"):
        _Strange(BertConfig()).generate_dummy_inputs(None)


def test_an_unknown_axis() -> None:
    with pytest.raises(InputsError, match=r"'breadth'.*Override generate_dummy_inputs"):
        _Unmeasured(BertConfig()).generate_dummy_inputs(None)


def test_no_vocabulary() -> None:
    with pytest.raises(InputsError, match="no vocab_size"):
        gpt_like(tfexport)(SimpleNamespace(hidden_size=3)).generate_dummy_inputs(None)


def test_an_unnamed_axis_has_length_one() -> None:
    sizes = Sizes(batch=3, sequence=5, choice=2)
    assert sizes.shape({0: "batch"}, rank=2) == (3, 1)
    assert sizes.shape({0: "batch", 3: "past_sequence + sequence"}, rank=2) == (3, 1, 1, 5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_each_row_is_padded_by_another_length(side: Any) -> None:
    made = _declared("bert").generate_dummy_inputs(None, batch_size=4, seq_length=9)
    before = {name: value.copy() for name, value in made.items()}
    padded = pad_rows(made, side, 77)
    for row in range(4):
        mask = [0] * (row + 1) + [1] * (8 - row)
        expected = np.array(mask if side == "left" else mask[::-1])
        np.testing.assert_array_equal(padded["attention_mask"][row], expected)
        hidden = expected == 0
        assert (padded["input_ids"][row][hidden] == 77).all()
        assert (padded["token_type_ids"][row][hidden] == 0).all()
        np.testing.assert_array_equal(padded["input_ids"][row][~hidden], before["input_ids"][row][~hidden])
    for name, value in before.items():
        np.testing.assert_array_equal(made[name], value)


def test_no_row_is_padded_away() -> None:
    made = _declared("bert").generate_dummy_inputs(None, batch_size=12, seq_length=4)
    for side in ("left", "right"):
        assert pad_rows(made, side, 0)["attention_mask"].sum(axis=1).min() >= 1
    single = _declared("bert").generate_dummy_inputs(None, batch_size=2, seq_length=1)
    np.testing.assert_array_equal(pad_rows(single, "left", 0)["attention_mask"], [[1], [1]])


def test_choices_are_padded_row_by_row() -> None:
    made = _declared("bert", "multiple-choice").generate_dummy_inputs(None, batch_size=2, num_choices=3, seq_length=9)
    kept = pad_rows(made, "right", None)["attention_mask"].sum(axis=-1)
    np.testing.assert_array_equal(kept, [[8, 7, 6], [5, 4, 3]])


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, (list, tuple)) else [value]


def _shapes(value: Any) -> Any:
    return [_shapes(item) for item in value] if isinstance(value, (list, tuple)) else tuple(value.shape)
