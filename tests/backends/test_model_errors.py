"""An error of the model is reported as one of the model, and an error of this package is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from transformers import BertConfig, BertModel, TFBertModel

import tfexport
from tfexport.backends import get_backend
from tfexport.backends.base import reason_of
from tfexport.backends.loading import readable_errors
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.framework import Framework
from tfexport.errors import CorruptCheckpointError, TracingError

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 30}
IDS = {"input_ids": np.zeros((2, 5), np.int64)}


class Declared(tfexport.OnnxConfig):
    inputs = {"input_ids": {0: "batch", 1: "sequence"}}
    outputs = {"last_hidden_state": {0: "batch", 1: "sequence"}}


class Faulty(Declared):
    """A fault of ours: what prepares the call fails, and not the model."""

    def _arguments_(self, inputs: Mapping[str, Any], zeros: Any) -> dict[str, Any]:
        if all(isinstance(value, tuple) for value in inputs.values()):  # asked for names, before the call
            return dict(inputs)
        raise AttributeError("a fault that is not the model's")


@pytest.fixture
def config() -> BertConfig:
    return BertConfig(**SIZES, attn_implementation="eager")


def _model(framework: Framework, config: BertConfig) -> Any:
    if framework == "pt":
        return BertModel(config).eval()
    model = TFBertModel(config)
    model.build_in_name_scope()
    return model


@pytest.mark.parametrize("framework", ["pt", "tf"])
def test_an_error_of_the_model(framework: Framework, config: BertConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model(framework, config)

    def fail(*arguments: Any, **named: Any) -> Any:
        raise AttributeError("a fault of the model's own")

    name = "forward" if framework == "pt" else "call"
    monkeypatch.setattr(model.encoder if framework == "pt" else model.bert.encoder, name, fail)
    with pytest.raises(
        TracingError, match="itself fails on the dummy inputs: AttributeError: .*a fault of the model.s own"
    ):
        get_backend(framework).run(model, Declared(config), IDS)


@pytest.mark.parametrize("framework", ["pt", "tf"])
def test_an_error_of_ours_is_not_the_models(framework: Framework, config: BertConfig) -> None:
    with pytest.raises(AttributeError, match="a fault that is not the model's"):
        get_backend(framework).run(_model(framework, config), Faulty(config), IDS)


def test_the_errors_of_a_framework_are_those_of_the_checkpoint() -> None:
    checkpoint = open_checkpoint(torch.nn.Identity())
    with pytest.raises(CorruptCheckpointError, match="could not be loaded as Net"), readable_errors(checkpoint, "Net"):
        raise RuntimeError("PytorchStreamReader failed")
    with pytest.raises(CorruptCheckpointError), readable_errors(checkpoint, "Net"):
        raise tf.errors.DataLossError(None, None, "truncated")


@pytest.mark.parametrize("rest", ["Call arguments received by layer", "Traceback (most recent call last):\n  File x"])
def test_a_reason_ends_before_arguments_and_stacks(rest: str) -> None:
    assert reason_of(ValueError(f"the reason.\n{rest}\n  more")) == "the reason."
