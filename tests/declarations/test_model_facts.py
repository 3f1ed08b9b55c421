"""Facts about model types: registered with a declaration, and true of a user's own declaration of the type too."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from transformers import CONFIG_MAPPING, BertConfig, EncoderDecoderConfig, GPT2Config

import tfexport
from conformance.zoo.tiny import tiny_config
from tests.onnx.declared import t5_like
from tests.support import ROOT
from tfexport.declarations.model_facts import ModelFacts, facts_of, input_rules, vocabulary_of
from tfexport.declarations.tasks import normalise

PACKAGE = ROOT / "tfexport"
TINY_MODEL_OF_THE_DOCTOR = ("doctor/probes/probe.py", "bert")


def test_no_generic_module_names_a_model_type() -> None:
    """Only the declarations of the architectures name them: a string that is a model type of transformers stands nowhere else."""
    types = {normalise(name) for name in CONFIG_MAPPING.keys()}  # noqa: SIM118
    named = {
        (file.relative_to(PACKAGE).as_posix(), node.value)
        for file in PACKAGE.rglob("*.py")
        if "architectures" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and normalise(node.value) in types
    }
    assert named == {TINY_MODEL_OF_THE_DOCTOR}


class _OwnText(tfexport.OnnxConfig):
    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        return {name: {0: "batch", 1: "sequence"} for name in ("input_ids", "attention_mask")}


@pytest.mark.parametrize("model_type", ["clip-text-model", "clip", "groupvit", "owlvit"])
def test_texts_of_a_users_declaration_end_where_the_model_reads_them(model_type: str) -> None:
    config = tiny_config(model_type)
    ids: Any = _OwnText(config).generate_dummy_inputs(None, batch_size=3, seq_length=7)["input_ids"]
    end = vocabulary_of(config, None).suffix
    assert len(end) == 1
    np.testing.assert_array_equal(ids[:, -1], [end[0]] * 3)
    assert (ids[:, :-1] != end[0]).all()


def test_texts_of_other_types_have_no_end_without_a_tokenizer() -> None:
    assert vocabulary_of(BertConfig(), None).suffix == ()


def test_a_composite_model_has_the_rules_of_its_text_part() -> None:
    composite = SimpleNamespace(model_type="vision-text-dual-encoder", text_config=tiny_config("clip-text-model"))
    assert input_rules(composite).ends_with_token
    composite.text_config = tiny_config("bert")
    assert not input_rules(composite).ends_with_token


def test_both_spellings_have_the_same_facts() -> None:
    assert facts_of(SimpleNamespace(model_type="clip_text_model")) is facts_of(
        SimpleNamespace(model_type="clip-text-model")
    )
    assert facts_of(SimpleNamespace(model_type="clip_text_model")) != ModelFacts()


@pytest.mark.parametrize("config", [None, SimpleNamespace(), SimpleNamespace(model_type="phase-of-the-moon")])
def test_an_unknown_type_has_the_usual_facts(config: Any) -> None:
    assert facts_of(config) == ModelFacts()


def test_a_gpt2_decoder_of_a_users_declaration_caches_no_cross_attention() -> None:
    decoder = GPT2Config(n_layer=2, n_head=2, n_embd=8, vocab_size=9, add_cross_attention=True)
    encoder = BertConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, vocab_size=9)
    config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    filled: dict[str, Any] = {}
    t5_like(tfexport).with_past(config).fill_with_past_key_values_(filled, direction="outputs")
    assert list(filled) == [f"present.{layer}.{part}" for layer in (0, 1) for part in ("key", "value")]
