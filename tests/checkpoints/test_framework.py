"""Which framework exports: the whole priority, as a table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pytest

from tfexport.checkpoints.framework import Framework, decide
from tfexport.errors import CheckpointNotFoundError, FrameworkNotInstalledError, UnknownFrameworkError

BOTH = ("pt", "tf")


@dataclass(frozen=True)
class Found:
    framework: Framework
    why: str


PT, TF = Found("pt", "pytorch_model.bin"), Found("tf", "tf_model.h5")
SAFE_TF = Found("tf", "model.safetensors (format tf)")

# requested, evidence, installed -> framework, framework whose weights are read
CHOICES: list[tuple[Any, list[Found] | None, Collection[str], str, str | None]] = [
    # what the user says
    ("pt", [PT], BOTH, "pt", "pt"),
    ("tf", [TF], BOTH, "tf", "tf"),
    ("tf", [PT, TF], BOTH, "tf", "tf"),
    ("pt", [TF, PT], BOTH, "pt", "pt"),
    ("tf", [PT], BOTH, "tf", "pt"),
    ("pt", [TF], BOTH, "pt", "tf"),
    ("pt", [SAFE_TF, TF], BOTH, "pt", "tf"),
    ("pt", None, BOTH, "pt", None),
    ("tf", None, BOTH, "tf", None),
    ("tf", None, ("tf",), "tf", None),
    ("tf", [PT, TF], ("tf",), "tf", "tf"),
    # else what the checkpoint is
    (None, [PT], BOTH, "pt", "pt"),
    (None, [TF], BOTH, "tf", "tf"),
    (None, [SAFE_TF], BOTH, "tf", "tf"),
    (None, [TF], ("tf",), "tf", "tf"),
    (None, [PT], ("pt",), "pt", "pt"),
    (None, [PT, TF], BOTH, "pt", "pt"),
    (None, [TF, PT], BOTH, "pt", "pt"),
    (None, [PT, TF], ("tf",), "tf", "tf"),
    (None, [PT, TF], ("pt",), "pt", "pt"),
    # else what is installed, PyTorch first
    (None, None, BOTH, "pt", None),
    (None, None, ("pt",), "pt", None),
    (None, None, ("tf",), "tf", None),
]


@pytest.mark.parametrize(("requested", "evidence", "installed", "framework", "weights"), CHOICES)
def test_priority(
    requested: Any, evidence: list[Found] | None, installed: Collection[Framework], framework: str, weights: str | None
) -> None:
    choice = decide(requested, evidence, installed, "here")
    assert (choice.framework, choice.weights) == (framework, weights)
    assert choice.converts_weights == (weights is not None and weights != framework)
    assert choice.reason.startswith({"pt": "PyTorch", "tf": "TensorFlow"}[framework])


@pytest.mark.parametrize(
    ("requested", "evidence", "installed", "fragments"),
    [
        ("tf", [TF], BOTH, ("as asked for",)),
        ("tf", [PT], BOTH, ("as asked for", "only PyTorch weights", "pytorch_model.bin", "converted on load")),
        ("pt", [SAFE_TF], BOTH, ("only TensorFlow weights", "model.safetensors (format tf)", "converted on load")),
        (None, [TF], BOTH, ("the checkpoint holds tf_model.h5",)),
        (None, [PT, TF], BOTH, ("pytorch_model.bin", "TensorFlow weights are there too", "tf_model.h5")),
        (None, [TF, SAFE_TF, PT], BOTH, ("tf_model.h5, model.safetensors (format tf)", "--framework tf")),
        (None, [PT, TF], ("tf",), ("PyTorch weights are there too (pytorch_model.bin)", "not installed")),
        (None, [PT, TF], ("pt",), ("TensorFlow weights are there too (tf_model.h5)", "not installed")),
        (None, None, BOTH, ("org/name is not local", "TensorFlow is too")),
        (None, None, ("tf",), ("org/name is not local", "it is installed")),
    ],
)
def test_the_reason_says_what_was_found(
    requested: Any, evidence: list[Found] | None, installed: Collection[Framework], fragments: tuple[str, ...]
) -> None:
    reason = decide(requested, evidence, installed, "org/name").reason
    assert [fragment for fragment in fragments if fragment not in reason] == []


def test_a_framework_without_weights_elsewhere_is_not_mentioned() -> None:
    assert "TensorFlow" not in decide(None, [PT], {"pt", "tf"}, "here").reason
    assert "TensorFlow" not in decide(None, None, {"pt"}, "here").reason


@pytest.mark.parametrize("name", ["jax", "flax", "PT", "", "pytorch", 3])
@pytest.mark.parametrize("evidence", [None, [PT], [TF]])
def test_unknown_framework(name: object, evidence: list[Found] | None) -> None:
    with pytest.raises(UnknownFrameworkError, match="is not a framework") as caught:
        decide(name, evidence, {"pt", "tf"}, "here")
    assert isinstance(caught.value, ValueError)


def test_the_framework_enumeration_of_transformers_is_understood() -> None:
    from transformers import TensorType

    assert decide(TensorType.TENSORFLOW, [PT, TF], {"pt", "tf"}, "here").framework == "tf"
    assert decide(TensorType.PYTORCH, [PT, TF], {"pt", "tf"}, "here").framework == "pt"
    with pytest.raises(UnknownFrameworkError):
        decide(TensorType.NUMPY, [PT], {"pt", "tf"}, "here")


@pytest.mark.parametrize(
    ("requested", "evidence", "installed", "needed"),
    [
        ("tf", [TF], ("pt",), "TensorFlow is needed"),
        ("pt", [PT], ("tf",), "PyTorch is needed"),
        ("tf", None, ("pt",), "TensorFlow is needed"),
        (None, [TF], ("pt",), "TensorFlow is needed"),
        (None, [PT], ("tf",), "PyTorch is needed"),
        (None, [PT, TF], (), "PyTorch is needed"),
        # the weights of the other framework need the other framework
        ("tf", [PT], ("tf",), "PyTorch is needed"),
        ("pt", [TF], ("pt",), "TensorFlow is needed"),
        (None, None, (), "Neither PyTorch nor TensorFlow"),
    ],
)
def test_not_installed(
    requested: Any, evidence: list[Found] | None, installed: Collection[Framework], needed: str
) -> None:
    with pytest.raises(FrameworkNotInstalledError, match=needed) as caught:
        decide(requested, evidence, installed, "here")
    assert isinstance(caught.value, ImportError)
    assert "Install tfexport[" in str(caught.value)


def test_a_framework_that_loads_the_weights_itself_needs_no_other() -> None:
    choice = decide("pt", [TF], {"pt"}, "here", loads_in_both="Keras 3 runs on it")
    assert choice.framework == "pt"
    assert choice.reason == "PyTorch, as asked for: Keras 3 runs on it"
    with pytest.raises(FrameworkNotInstalledError, match="TensorFlow is needed"):
        decide("pt", [TF], {"pt"}, "here")


@pytest.mark.parametrize("requested", [None, "pt", "tf"])
def test_a_local_checkpoint_without_weights_is_not_guessed(requested: str | None) -> None:
    with pytest.raises(CheckpointNotFoundError, match="here does not hold weights. Expected a file") as caught:
        decide(requested, [], {"pt", "tf"}, "here", expected="a file")
    assert isinstance(caught.value, FileNotFoundError)
