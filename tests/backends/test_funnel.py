"""Funnel Transformer, which pools by lengths: its patches, and its variants."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="both frameworks are compared")
pytest.importorskip("tensorflow", reason="both frameworks are compared")

from conformance.zoo import rows
from conformance.zoo.models import tiny_model
from conformance.zoo.rows import Row, export_and_validate
from conformance.zoo.tiny import tiny_config
from tfexport.backends import get_backend
from tfexport.backends.pytorch import patches as pt_patches
from tfexport.backends.tensorflow import patches as tf_patches
from tfexport.checkpoints.framework import Framework
from tfexport.declarations.features import config_factory
from tfexport.errors import TfExportError, TracingError
from tfexport.validation import Case, ValidationReport, case_inputs

FRAMEWORKS: tuple[Framework, ...] = ("pt", "tf")
CLASSES = {"pt": "FunnelModel", "tf": "TFFunnelModel"}
VARIANTS: dict[str, dict[str, Any]] = {
    "factorised attention": {"attention_type": "factorized"},
    "pooled by the largest": {"pooling_type": "max"},
    "keys are pooled too": {"pool_q_only": False},
    "the class token is pooled": {"separate_cls": False},
    "nothing is cut off": {"truncate_seq": False},
    "repeated layers": {"block_sizes": [1, 1], "block_repeats": [2, 2]},
    "five blocks": {"block_sizes": [1, 1, 1, 1, 1]},
}


def funnel(**overrides: Any) -> Any:
    config = tiny_config("funnel")
    config.block_repeats = [1] * len(overrides.get("block_sizes", config.block_sizes))
    for name, value in overrides.items():
        setattr(config, name, value)
    return config


def exported(
    framework: Framework, config: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = ""
) -> ValidationReport:
    monkeypatch.setattr(rows, "tiny_config", lambda *_: config)
    return export_and_validate(Row("funnel", "default", framework, name or CLASSES[framework]), folder)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant(framework: Framework, variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = exported(framework, funnel(**VARIANTS[variant]), tmp_path, monkeypatch)
    assert report.passed, report.problems


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_base_model_gives_the_pooled_sequence(
    framework: Framework, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = funnel(architectures=["FunnelBaseModel"])
    assert config_factory("funnel", "default")(config).outputs == {
        "last_hidden_state": {0: "batch", 1: "pooled_sequence"}
    }
    name = {"pt": "FunnelBaseModel", "tf": "TFFunnelBaseModel"}[framework]
    report = exported(framework, config, tmp_path, monkeypatch, name)
    assert report.passed, report.problems


@pytest.mark.parametrize(
    ("overrides", "shortest"),
    [
        ({}, 5),
        ({"block_sizes": [1, 1]}, 3),
        ({"block_sizes": [1, 1, 1, 1, 1]}, 17),
        ({"block_sizes": [2]}, 1),
        ({"truncate_seq": False}, 7),
        ({"truncate_seq": False, "block_sizes": [1, 1, 1, 1]}, 13),
        ({"separate_cls": False}, 3),
        ({"separate_cls": False, "block_sizes": [1, 1, 1, 1]}, 5),
    ],
)
def test_the_shortest_row_is_that_of_pytorch(overrides: dict[str, Any], shortest: int) -> None:
    """transformers 4.57.6: with its usual attention, PyTorch's Funnel fails on shorter rows."""
    config = funnel(**overrides)
    declaration = config_factory("funnel", "default")(config)
    model = tiny_model("pt", "FunnelModel", config)
    assert declaration._shortest_sequence_ == shortest
    assert declaration.default_sequence_length >= shortest
    assert declaration._caveats_ == (
        f"accepts only rows of {shortest} tokens or more, because each of its blocks pools.",
    )
    backend = get_backend("pt")
    backend.run(model, declaration, case_inputs(declaration, None, Case(2, shortest), "pt"))
    if shortest > 1:
        with pytest.raises(TracingError, match="itself fails"):
            backend.run(model, declaration, case_inputs(declaration, None, Case(2, shortest - 1), "pt"))


@pytest.mark.parametrize(
    ("overrides", "shortest"),
    [({"attention_type": "factorized"}, 5), ({"separate_cls": False, "attention_type": "factorized"}, 3)],
)
def test_the_shortest_row_whose_blocks_all_pool(overrides: dict[str, Any], shortest: int) -> None:
    declaration = config_factory("funnel", "default")(funnel(**overrides))
    assert declaration._shortest_sequence_ == shortest


@pytest.mark.parametrize(("framework", "patches"), [("pt", pt_patches), ("tf", tf_patches)])
def test_still_needs_its_patches(
    framework: Framework, patches: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails once transformers (4.57.6) has a Funnel that converts unpatched. Then the patch can be removed."""
    kept = tuple(module for module in patches.MODULES if "funnel" not in module.__name__)
    assert len(kept) == len(patches.MODULES) - 1
    monkeypatch.setattr(patches, "MODULES", kept)
    try:
        report = exported(framework, funnel(), tmp_path, monkeypatch)
    except TfExportError:
        return
    assert not report.passed


@pytest.mark.filterwarnings("ignore:The initializer TruncatedNormal is unseeded:UserWarning")
def test_the_patched_encoder_returns_what_was_asked_for() -> None:
    """Outputs include hidden states and attentions, by name and as a tuple."""
    import tensorflow as tf

    model = tiny_model("tf", "TFFunnelBaseModel", funnel())
    ids = tf.constant(np.random.default_rng(0).integers(3, 99, (2, 9)), tf.int32)
    for options in ({"return_dict": True}, {"return_dict": False}):
        asked = {"output_hidden_states": True, "output_attentions": True, **options}
        expected = model(ids, **asked)
        with tf_patches.patched_tensorflow():
            found = model(ids, **asked)
        expected, found = (dict(one) if options["return_dict"] else tuple(one) for one in (expected, found))
        tf.nest.assert_same_structure(expected, found)
        for one, other in zip(tf.nest.flatten(expected), tf.nest.flatten(found), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
