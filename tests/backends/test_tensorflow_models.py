"""Tracing and loading of transformers' TensorFlow classes."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport import OnnxConfig, export_checkpoint
from tfexport.declarations.features import config_factory
from tfexport.errors import ContractError, ConversionError, TracingError
from tfexport.validation import case_inputs

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

from tfexport.backends.tensorflow import BACKEND, patches  # noqa: E402
from tfexport.backends.tensorflow.tracing import trace  # noqa: E402


class Declared(OnnxConfig):
    inputs = OrderedDict(input_ids={0: "batch", 1: "sequence"})


class Branching:
    """A model whose Python code branches on a tensor."""

    def call(self, input_ids: Any = None) -> None: ...

    def __call__(self, inputs: dict[str, Any], **_: Any) -> dict[str, Any]:
        hidden = tf.cast(inputs["input_ids"], tf.float32)
        if tf.reduce_sum(hidden) > 10:  # AutoGraph makes this a tf.cond; without it TensorFlow raises
            hidden = -hidden
        return {"last_hidden_state": hidden, "pooler_output": hidden}


IDS = {"input_ids": np.ones((2, 8), np.int64)}


def test_a_model_that_branches_on_a_tensor_is_traced_with_autograph() -> None:
    traced = trace(Branching(), Declared(SimpleNamespace()), IDS)
    (small,) = traced.function(tf.constant([[1]], tf.int64))
    (large,) = traced.function(tf.constant([[11]], tf.int64))
    assert (float(small[0, 0]), float(large[0, 0])) == (1.0, -11.0)


def test_the_signature_is_the_declaration() -> None:
    traced = trace(Branching(), Declared(SimpleNamespace()), IDS)
    ((spec,), _) = traced.function.structured_input_signature
    assert (spec.name, spec.dtype, spec.shape.as_list()) == ("input_ids", tf.int64, [None, None])
    assert traced.outputs == ("last_hidden_state",)  # pooler_output is not declared


def test_an_input_that_the_model_does_not_take_is_an_error() -> None:
    class TooMuch(Declared):
        inputs = OrderedDict(input_ids={0: "batch"}, bbox={0: "batch"})

    with pytest.raises(ContractError, match=r"Branching does not accept the input bbox, which TooMuch declares"):
        trace(Branching(), TooMuch(SimpleNamespace()), IDS | {"bbox": IDS["input_ids"]})


def test_an_output_that_the_model_lacks_is_an_error() -> None:
    expected = r"^Branching does not return the output logits.*Its outputs are last_hidden_state, pooler_output\.$"
    with pytest.raises(ContractError, match=expected):
        trace(Branching(), Declared(SimpleNamespace(), task="causal-lm"), IDS)


def test_what_tensorflow_cannot_trace_is_one_typed_error() -> None:
    class Failing(Branching):
        def __call__(self, inputs: dict[str, Any], **_: Any) -> dict[str, Any]:
            return {"last_hidden_state": tf.matmul(tf.zeros((2, 3)), tf.zeros((2, 3)))}

    with pytest.raises(TracingError, match="TensorFlow cannot trace the model"):
        trace(Failing(), Declared(SimpleNamespace()), IDS)


def test_xlm_multiple_choice_loads_without_the_name_that_its_configuration_lacks(tmp_path: Path) -> None:
    """In transformers 4.57.6 TFXLMForMultipleChoice reads initializer_range, and XLMConfig has init_std."""
    checkpoint = tmp_path / "xlm"
    tiny_model("tf", "TFXLMForMultipleChoice", tiny_config("xlm")).save_pretrained(checkpoint)
    file = checkpoint / "config.json"
    config = json.loads(file.read_text())
    del config["initializer_range"]
    file.write_text(json.dumps(config))
    assert export_checkpoint(checkpoint, tmp_path / "onnx", feature="multiple-choice").valid


def test_deberta_still_needs_its_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails once the unpatched DeBERTa of transformers (4.57.6) converts. Then the patch can be removed."""
    config = tiny_config("deberta")
    declaration = config_factory("deberta", "default")(config)
    model = tiny_model("tf", "TFDebertaModel", config)
    inputs = case_inputs(declaration, None, None, "tf")
    monkeypatch.setattr(patches, "MODULES", ())
    with pytest.raises(ConversionError, match="perm can't be dynamic"):
        BACKEND.convert(model, declaration, inputs, 18, "tf2onnx")
