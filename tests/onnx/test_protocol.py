"""The engine reads the surface of ``transformers.onnx`` and names of the form ``_name_``, and nothing else of a user's class."""

from __future__ import annotations

import inspect
import re
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers.onnx as seed

import tfexport
from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tests.onnx.declared import gpt_like, t5_like
from tests.onnx.test_user_classes import users_config
from tfexport.declarations.parts import parts_of

CLASSES = ("OnnxConfig", "OnnxConfigWithPast", "OnnxSeq2SeqConfigWithPast")
PROTOCOL = re.compile(r"_[a-z]\w*_")
OF_A_USER = (
    "arguments",
    "cached",
    "called",
    "caches_cross_attention",
    "caveats",
    "config",
    "decoder_alone",
    "decoder_config",
    "decoder_reads_encoder_mask",
    "encoder",
    "encoder_config",
    "encoder_length",
    "encoder_states",
    "encoder_width",
    "exported_in_parts",
    "facts",
    "head_size",
    "inputs_of",
    "lengths",
    "num_cache_heads",
    "parts",
    "patched",
    "random_cache",
    "reads_cache",
    "returns_cache",
    "shortest_sequence",
    "submodel",
    "takes_position_ids",
    "tolerance",
    "whole",
    "without_past",
    "_arguments",
    "_add_dummy_past",
    "_caveats",
    "_inputs",
    "_lengths",
    "_outputs",
    "_undo_patches",
)
"""Names that a user may give to attributes of a class, most of which were hooks of the engine once."""


class _Nonsense:
    """Fails where it is used: it cannot be called, iterated, compared, indexed, or judged true or false."""

    def __bool__(self) -> bool:
        raise AssertionError("the engine read an attribute of a user's class")

    __eq__ = __iter__ = __len__ = __call__ = __getitem__ = __lt__ = __int__ = __bool__  # type: ignore[assignment]
    __hash__ = object.__hash__


def _with_nonsense(base: type[Any]) -> type[Any]:
    return type(f"Nonsense{base.__name__}", (base,), {name: _Nonsense() for name in OF_A_USER})


@pytest.mark.parametrize("name", CLASSES)
def test_our_additions_to_the_seeds_surface_are_of_one_form(name: str) -> None:
    ours, theirs = getattr(tfexport, name), getattr(seed, name)
    added = {attribute for attribute in dir(ours) if not attribute.startswith("__")} - set(dir(theirs))
    assert [attribute for attribute in sorted(added) if not PROTOCOL.fullmatch(attribute)] == []


def test_the_docstring_lists_the_protocol() -> None:
    documented = set(re.findall(r"``(_[a-z]\w*_)``", inspect.getdoc(tfexport.OnnxConfig) or "")) - {"_name_"}
    theirs = set(dir(seed.OnnxSeq2SeqConfigWithPast))
    hooks = {name for name in dir(tfexport.OnnxSeq2SeqConfigWithPast) if PROTOCOL.fullmatch(name)} - theirs
    assert documented == hooks - {"_add_dummy_past_"}  # which only this project's own class overrides


@pytest.mark.parametrize("framework", ["tf", "pt"])
def test_an_encoder_that_uses_our_old_names(framework: str, tmp_path: Path) -> None:
    config = tiny_config("bert")
    model = tiny_model(framework, "TFBertModel" if framework == "tf" else "BertModel", config)
    declared = _with_nonsense(users_config(tfexport))(config)
    _, outputs = tfexport.export(None, model, declared, 18, tmp_path / "model.onnx")
    tfexport.validate_model_outputs(declared, None, model, tmp_path / "model.onnx", outputs, 1e-4)


@pytest.mark.parametrize("framework", ["tf", "pt"])
def test_a_decoder_with_past_that_uses_our_old_names(framework: str, tmp_path: Path) -> None:
    config = tiny_config("gpt2", "causal-lm-with-past")
    model = tiny_model(framework, "TFGPT2LMHeadModel" if framework == "tf" else "GPT2LMHeadModel", config)
    declared = _with_nonsense(gpt_like(tfexport)).with_past(config, task="causal-lm")
    inputs, outputs = tfexport.export(None, model, declared, 18, tmp_path / "model.onnx")
    assert "past_key_values.0.key" in inputs
    tfexport.validate_model_outputs(declared, None, model, tmp_path / "model.onnx", outputs, 1e-4)


def test_an_encoder_decoder_with_past_that_uses_our_old_names(tmp_path: Path) -> None:
    config = tiny_config("t5", "seq2seq-lm-with-past")
    model = tiny_model("pt", "T5ForConditionalGeneration", config)
    plain, declared = (
        made.with_past(config, task="seq2seq-lm") for made in (t5_like(tfexport), _with_nonsense(t5_like(tfexport)))
    )
    _, outputs = tfexport.export(None, model, declared, 18, tmp_path / "model.onnx")
    tfexport.validate_model_outputs(declared, None, model, tmp_path / "model.onnx", outputs, 1e-4)
    made, expected = (chain(*config.generate_dummy_inputs(None)["past_key_values"]) for config in (declared, plain))
    for ours, theirs in zip(made, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert {name: part.inputs for name, part in parts_of(declared).items()} == {
        name: part.inputs for name, part in parts_of(plain).items()
    }
