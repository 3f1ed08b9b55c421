"""The stand-ins for tensorflow_probability."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport.declarations.features import config_factory
from tfexport.validation import case_inputs

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

import torch  # noqa: E402

from tfexport.backends.tensorflow import BACKEND, soft_dependencies  # noqa: E402


def test_the_distributions_are_torchs() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(3, 5)).astype(np.float32)
    bits = random.integers(0, 2, (3, 5))
    expected = torch.distributions.Bernoulli(logits=torch.tensor(logits)).log_prob(torch.tensor(bits).float())
    np.testing.assert_allclose(soft_dependencies.Bernoulli(tf.constant(logits)).log_prob(bits), expected, rtol=1e-5)
    classes = np.array([4, 0, 2])
    expected = torch.distributions.Categorical(logits=torch.tensor(logits)).log_prob(torch.tensor(classes))
    np.testing.assert_allclose(
        soft_dependencies.Categorical(tf.constant(logits)).log_prob(classes), expected, rtol=1e-5
    )


def test_tapas_answers_questions_without_tensorflow_probability() -> None:
    config = tiny_config("tapas", "table-question-answering")
    model = tiny_model("tf", "TFTapasForQuestionAnswering", config)
    declaration = config_factory("tapas", "table-question-answering")(config)
    inputs = case_inputs(declaration, None, None, "tf")
    module = sys.modules[type(model).__module__]
    if hasattr(module, "tfp"):
        pytest.skip("tensorflow_probability is installed: nothing stands in for it")
    with pytest.raises(NameError, match="tfp"):
        model({name: tf.cast(value, tf.int32) for name, value in inputs.items()})
    made = BACKEND.run(model, declaration, inputs)
    assert {"logits", "logits_aggregation"} <= set(made)
    assert (made["logits"] > -1000).any()  # cells of the column that the model chose; elsewhere -10000 is added
    assert not hasattr(module, "tfp")
