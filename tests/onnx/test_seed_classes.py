"""The seed's own 58 configuration classes, executed again over our bases: only the import changed.

They are the largest body of code that was written against ``transformers.onnx``.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import CONFIG_MAPPING
from transformers.onnx.features import FeaturesManager as Seed

import tfexport
from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tests.declarations.deviations import DECODER_ONLY, past_has_its_own_length
from tfexport.checkpoints.framework import Framework
from tfexport.declarations.features import model_class

BASES = ("OnnxConfig", "OnnxConfigWithPast", "OnnxSeq2SeqConfigWithPast", "PatchingSpec")
TYPES = [name for name in Seed._SUPPORTED_MODEL_TYPE if name != "vision-encoder-decoder"]  # it declares nothing itself
PAIRS = [(name, feature) for name in TYPES for feature in Seed._SUPPORTED_MODEL_TYPE[name]]
SEQUENCE_LABELS = {"logits": {0: "batch", 1: "sequence"}}
_CONFIGS = {name.replace("_", "-"): config_class for name, config_class in CONFIG_MAPPING.items()}


def _seeds_class(model_type: str) -> Any:
    return next(iter(Seed._SUPPORTED_MODEL_TYPE[model_type].values())).func.__self__


def _migrated(seeds: Any) -> Any:
    """Return the class, made from its own source over our bases."""
    if not seeds.__module__.startswith("transformers.models."):
        return getattr(tfexport, seeds.__name__)
    namespace = dict(vars(sys.modules[seeds.__module__]))
    for base in seeds.__bases__:
        if base.__module__.startswith("transformers."):
            namespace[base.__name__] = _migrated(base)
    namespace.update({name: getattr(tfexport, name) for name in BASES})
    exec(textwrap.dedent(inspect.getsource(seeds)), namespace)
    made = namespace[seeds.__name__]
    assert issubclass(made, tfexport.OnnxConfig)
    assert made is not seeds
    return made


def _make(cls: Any, model_type: str, feature: str) -> Any:
    config = _CONFIGS[model_type]()
    task = Seed.feature_to_task(feature)
    return (cls.with_past if feature.endswith("-with-past") else cls.from_model_config)(config, task=task)


@pytest.mark.parametrize(("model_type", "feature"), PAIRS)
def test_they_declare_the_same(model_type: str, feature: str) -> None:
    seeds = _seeds_class(model_type)
    theirs, ours = (_make(cls, model_type, feature) for cls in (seeds, _migrated(seeds)))
    # Encoder-decoders spell out the axes of a decoder-only cache; the others take them from their base class.
    asks = feature == "default-with-past" or (feature == "causal-lm-with-past" and model_type not in DECODER_ONLY)
    expected = past_has_its_own_length(theirs.inputs) if asks else theirs.inputs
    assert list(ours.inputs.items()) == list(expected.items())
    assert ours.values_override == theirs.values_override
    assert ours.atol_for_validation == theirs.atol_for_validation
    if feature == "image-classification" and dict(theirs.outputs) == SEQUENCE_LABELS:
        assert dict(ours.outputs) == {"logits": {0: "batch"}}  # tests/onnx/test_peer_bugs.py, bug 14
        return
    if feature == "multiple-choice" and dict(theirs.outputs) == {"logits": {0: "batch"}}:
        assert dict(ours.outputs) == {"logits": {0: "batch", 1: "choice"}}  # tests/declarations/deviations.py
        return
    assert list(ours.outputs.items()) == list(theirs.outputs.items())


# Not TensorFlow's longformer: the seed's class makes a torch tensor for either framework (tests/onnx/test_peer_bugs.py, bug 18).
EXPORTED = [
    ("tf", "bert", "default"),
    ("tf", "distilbert", "masked-lm"),
    ("tf", "deberta-v2", "token-classification"),
    ("tf", "gpt2", "causal-lm"),
    ("tf", "gptj", "default"),
    ("pt", "bert", "multiple-choice"),
    ("pt", "deberta", "sequence-classification"),
    ("pt", "gpt2", "token-classification"),
    ("pt", "bloom", "causal-lm"),
    ("pt", "longformer", "default"),
    ("pt", "xlm", "question-answering"),
]


@pytest.mark.parametrize(("framework", "model_type", "feature"), EXPORTED)
def test_they_export(framework: Framework, model_type: str, feature: str, tmp_path: Path) -> None:
    config = tiny_config(model_type, feature)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of the frameworks while they make a model
        model = tiny_model(framework, model_class(model_type, feature, framework), config)
    declared = _migrated(_seeds_class(model_type)).from_model_config(config, task=feature)
    inputs, outputs = tfexport.export(None, model, declared, 18, tmp_path / "model.onnx")
    assert (inputs, outputs) == (list(declared.inputs), list(declared.outputs))
    tfexport.validate_model_outputs(
        declared, None, model, tmp_path / "model.onnx", outputs, declared.atol_for_validation
    )


@pytest.mark.parametrize("model_type", ["gpt2", "gptj", "codegen", "gpt-neo"])
def test_they_make_their_own_past_with_torch(model_type: str) -> None:
    """These override `generate_dummy_inputs`, import torch, and append tensors of it to the inputs that ours returns."""
    declared = _migrated(_seeds_class(model_type)).with_past(tiny_config(model_type))
    made = declared.generate_dummy_inputs(None, batch_size=3, seq_length=5, framework="pt")
    assert list(made) == ["input_ids", "past_key_values", "attention_mask"]
    assert tuple(made["attention_mask"].shape) == (3, 5 + 7)
    assert {tuple(tensor.shape) for layer in made["past_key_values"] for tensor in layer} == {(3, 4, 7, 8)}


def test_their_inputs_differ_from_shape_to_shape() -> None:
    """DeBERTa's class drops the requested shape, migrated or not (tests/onnx/test_peer_bugs.py, bug 12)."""
    for model_type, expected in (("longformer", (5, 11)), ("gpt2", (5, 11)), ("deberta", (2, 8))):
        declared = _migrated(_seeds_class(model_type)).from_model_config(tiny_config(model_type))
        made = declared.generate_dummy_inputs(None, batch_size=5, seq_length=11, framework="pt")
        assert np.asarray(made["input_ids"]).shape == expected
