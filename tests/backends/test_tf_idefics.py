"""IDEFICS traced with a text of dynamic length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport.declarations.features import config_factory
from tfexport.validation import case_inputs, standard_cases

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

from tfexport.backends.base import prepared  # noqa: E402
from tfexport.backends.tensorflow import BACKEND, patches  # noqa: E402
from tfexport.backends.tensorflow.tracing import trace  # noqa: E402


@pytest.fixture(scope="module")
def declaration() -> Any:
    return config_factory("idefics", "default")(tiny_config("idefics"))


@pytest.fixture(scope="module")
def model(declaration: Any) -> Any:
    return tiny_model("tf", "TFIdeficsModel", declaration._config)


def _traced(model: Any, declaration: Any) -> Any:
    with prepared(model, declaration):
        return trace(model, declaration, case_inputs(declaration, None, None, "tf"))


def _feeds(declaration: Any) -> tuple[dict[str, Any], list[Any]]:
    made = case_inputs(declaration, None, standard_cases(declaration)[2], "tf")
    return made, [tf.constant(value) for value in made.values()]


def test_the_patched_model_computes_the_same(model: Any, declaration: Any) -> None:
    with patches.patched_tensorflow():
        traced = _traced(model, declaration)
    made, tensors = _feeds(declaration)
    expected = BACKEND.run(model, declaration, made)["last_hidden_state"]
    np.testing.assert_allclose(traced.function(*tensors)[0], expected, atol=1e-5)


def test_it_still_fails_unpatched(model: Any, declaration: Any) -> None:
    """Fails once transformers computes the larger of two dynamic lengths correctly. Then our patch can be removed."""
    _, tensors = _feeds(declaration)
    with pytest.raises(tf.errors.InvalidArgumentError, match="reduction"):
        _traced(model, declaration).function(*tensors)
