"""transformers' TensorFlow decoders with a cache, and the defects that prevent a file for any length."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport.backends import get_backend
from tfexport.backends.base import prepared
from tfexport.backends.tensorflow.patches import (
    ctrl_cache,
    length_branches,
    past_length,
    patched_tensorflow,
    t5_positions,
)
from tfexport.backends.tensorflow.tracing import trace
from tfexport.declarations.features import config_factory, model_class
from tfexport.declarations.parts import parts_of
from tfexport.errors import TracingError
from tfexport.pipeline.conversion import convert, run_example, write
from tfexport.processes.patching import patched
from tfexport.validation import Reference, flatten_inputs


def _reference(model_type: str, feature: str) -> Reference:
    config = tiny_config(model_type, feature)
    model = tiny_model("tf", model_class(model_type, feature, "tf"), config)
    return Reference(get_backend("tf"), model, config_factory(model_type, feature)(config))


def _file(reference: Reference, folder: Path) -> Path:
    graphs = convert({"model": reference}, {"model": run_example(reference)}, 18, "tf2onnx")
    return write(graphs, folder)["model"].model


def test_ctrl_itself_reads_the_last_token_alone_beside_a_cache() -> None:
    """Fails once transformers fixes it. Then the patch can be removed, also for the reference."""
    reference = _reference("ctrl", "causal-lm")
    ids = tf.constant([[5, 6, 7]])
    cache = [tf.zeros((2, 1, 4, 0, 8))] * 2
    with pytest.raises(tf.errors.InvalidArgumentError):
        reference.model(ids, past_key_values=cache, attention_mask=tf.ones((1, 3), tf.int32))
    with patched(ctrl_cache.specs()):
        logits = reference.model(input_ids=ids, past_key_values=cache, attention_mask=tf.ones((1, 3), tf.int32)).logits
    np.testing.assert_allclose(logits, reference.model(ids).logits, atol=1e-5)


@pytest.mark.parametrize("model_type", ["xglm", "mistral"])
def test_a_cache_of_any_length_needs_its_guise(model_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails once transformers fixes it."""
    reference = _reference(model_type, "causal-lm-with-past")
    inputs = reference.inputs()
    with prepared(reference.model, reference.config):
        with patched_tensorflow():
            traced = trace(reference.model, reference.config, inputs)
        monkeypatch.setattr(past_length, "specs", list)
        with patched_tensorflow(), pytest.raises(TracingError):
            trace(reference.model, reference.config, inputs)
    tensors = [tf.constant(array) for array in flatten_inputs(reference.config, inputs).values()]
    np.testing.assert_allclose(traced.function(*tensors)[0], reference.run(inputs)["logits"], atol=1e-5)


def test_keys_of_t5_may_be_zero(tmp_path: Path) -> None:
    """transformers' T5 treats a key that begins with zero as an unused place in the cache; a file's cache has none."""
    whole = _reference("t5", "seq2seq-lm-with-past")
    later = whole.about(parts_of(whole.config)["decoder_with_past_model"])
    file = _file(later, tmp_path)
    inputs = later.inputs()
    for layer in inputs["past_key_values"]:
        layer[0][0, 0, -1, 0] = 1e-30  # the model itself treats a zero as an unused place
    expected = later.run(inputs)["logits"]
    for layer in inputs["past_key_values"]:
        layer[0][0, 0, -1, 0] = 0
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], flatten_inputs(later.config, inputs))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(later.run(inputs)["logits"] - expected).max() > 1e-3, "fixed upstream"
    assert t5_positions.specs()


@pytest.mark.parametrize(
    ("model_type", "task", "part"),
    [
        ("bart", "seq2seq-lm", "decoder_model"),
        ("marian", "seq2seq-lm", "decoder_model"),
    ],
)
def test_no_branch_is_left_on_a_length(model_type: str, task: str, part: str, tmp_path: Path) -> None:
    whole = _reference(model_type, f"{task}-with-past")
    graph = onnx.load(_file(whole.about(parts_of(whole.config)[part]), tmp_path)).graph
    assert "If" not in [node.op_type for node in graph.node]


def test_other_branches_on_tensors_are_refused_as_before() -> None:
    def traced(function: Any) -> Any:
        signature = [tf.TensorSpec((None, None))]
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()

    def sums(x: Any) -> Any:
        return x if tf.reduce_sum(x) > 1 else -x

    def counts(x: Any) -> Any:
        return x if tf.shape(x)[1] > 1 else -x

    def counts_more(x: Any) -> Any:
        return x if tf.shape(x)[1] > 2 else -x

    with patched(length_branches.specs()):
        with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
            traced(sums)
        with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
            traced(counts_more)
        assert traced(counts)(tf.ones((1, 3)))[0, 0] == 1
        assert traced(lambda x: x if tf.shape(x)[1] > 0 else -x)(tf.ones((1, 3)))[0, 0] == 1
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        traced(counts)
