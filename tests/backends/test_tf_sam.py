"""Segment Anything from TensorFlow: traced without AutoGraph, with no conditionals in the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport.declarations.features import config_factory
from tfexport.validation import case_inputs

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

from tfexport.backends.tensorflow import BACKEND, patches, tracing  # noqa: E402


@pytest.fixture(scope="module")
def sam() -> tuple[Any, Any, Any]:
    config = tiny_config("sam", "mask-generation")
    declaration = config_factory("sam", "mask-generation")(config)
    return tiny_model("tf", "TFSamModel", config), declaration, case_inputs(declaration, None, None, "tf")


@pytest.fixture
def autographs(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return whether each trace used AutoGraph."""
    used: list[bool] = []
    own = tracing._concrete

    def concrete(call: Any, specs: Any, *, autograph: bool) -> Any:
        used.append(autograph)
        return own(call, specs, autograph=autograph)

    monkeypatch.setattr(tracing, "_concrete", concrete)
    return used


@pytest.mark.parametrize("multimask", [True, False])
def test_the_decoder_computes_what_the_models_own_does(sam: Any, multimask: bool) -> None:
    model, _, inputs = sam
    constants = {name: tf.constant(value) for name, value in inputs.items()}
    tensors = {
        name: tf.cast(value, tf.int32) if value.dtype == tf.int64 else value for name, value in constants.items()
    }
    expected = model(tensors, multimask_output=multimask)
    with patches.patched_tensorflow():
        made = model(tensors, multimask_output=multimask)
    for name in ("iou_scores", "pred_masks"):
        assert made[name].shape == expected[name].shape
        np.testing.assert_allclose(made[name], expected[name], atol=1e-5)


def test_it_is_traced_without_autograph(sam: Any, autographs: list[bool]) -> None:
    model, declared, inputs = sam
    graph = BACKEND.convert(model, declared, inputs, 18, "tf2onnx")
    assert autographs == [False]
    assert "If" not in {node.op_type for node in graph.proto.graph.node}


def test_the_decoder_still_branches(sam: Any, autographs: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails once transformers (4.57.6) has no Python condition on the number of points. Then the patch can be removed."""
    model, declaration, inputs = sam
    monkeypatch.setattr(patches, "MODULES", ())
    with patches.patched_tensorflow():
        tracing.trace(model, declaration, inputs)
    assert autographs == [False, True]
