"""Patches of PyTorch's text models: each is needed, and computes the same values as the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the PyTorch backend's tests need PyTorch")

from transformers.models.esm.modeling_esm import RotaryEmbedding  # noqa: E402
from transformers.models.xmod.modeling_xmod import XmodOutput  # noqa: E402

from conformance.zoo.models import tiny_model  # noqa: E402
from conformance.zoo.rows import Row, export_and_validate  # noqa: E402
from conformance.zoo.tiny import tiny_config  # noqa: E402
from tfexport.backends import get_backend  # noqa: E402
from tfexport.backends.pytorch import patches  # noqa: E402
from tfexport.declarations.features import config_factory  # noqa: E402
from tfexport.errors import TracingError  # noqa: E402
from tfexport.validation import case_inputs  # noqa: E402


@pytest.mark.parametrize(
    ("model_type", "model_class", "patch"),
    [("esm", "EsmModel", "esm_rotary"), ("xmod", "XmodModel", "xmod_adapter")],
)
def test_still_needs_its_patch(
    model_type: str, model_class: str, patch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails once the unpatched model of transformers (4.57.6) converts for all shapes. Then the patch can be removed."""
    kept = tuple(module for module in patches.MODULES if not module.__name__.endswith(f".{patch}"))
    assert len(kept) == len(patches.MODULES) - 1
    monkeypatch.setattr(patches, "MODULES", kept)
    report = export_and_validate(Row(model_type, "default", "pt", model_class), tmp_path)
    assert not report.passed


def test_esm_turns_queries_and_keys_as_transformers_does() -> None:
    rotary = RotaryEmbedding(8)
    queries, keys = torch.randn(2, 3, 11, 8), torch.randn(2, 3, 11, 8)
    expected = rotary(queries, keys)
    with patches.patched_torch():
        found = rotary(queries, keys)
    torch.testing.assert_close(found, expected)


def test_tracing_leaves_nothing_in_esms_cache() -> None:
    config = tiny_config("esm")
    model = tiny_model("pt", "EsmModel", config)
    declaration = config_factory("esm", "default")(config)
    inputs = case_inputs(declaration, None, None, "pt")
    backend = get_backend("pt")
    backend.convert(model, declaration, inputs, 18, "torchscript")
    caches = [module._cos_cached for module in model.modules() if isinstance(module, RotaryEmbedding)]
    assert caches == [None] * config.num_hidden_layers


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    "settings",
    [
        {"adapter_layer_norm": True},
        {"adapter_layer_norm": True, "ln_before_adapter": False},
        {"adapter_reuse_layer_norm": False},
        {"adapter_reuse_layer_norm": True, "ln_before_adapter": False},
    ],
)
def test_xmod_adapts_as_transformers_does(settings: dict[str, Any], place: int) -> None:
    config = tiny_config("xmod")
    for name, value in settings.items():
        setattr(config, name, value)
    output = XmodOutput(config).eval()
    states, languages = torch.randn(3, 5, config.hidden_size), torch.full((3,), float(place))
    with torch.no_grad():
        expected = output.lang_adapter(languages, states.clone())  # which adds in place
        with patches.patched_torch():
            found = output.lang_adapter(languages, states)
    torch.testing.assert_close(found, expected)


def test_xmod_without_a_default_language_is_a_typed_error() -> None:
    config = tiny_config("xmod")
    config.default_language = None
    declaration = config_factory("xmod", "default")(config)
    model = tiny_model("pt", "XmodModel", config)
    inputs = case_inputs(declaration, None, None, "pt")
    with pytest.raises(TracingError, match="set_default_language"):
        get_backend("pt").run(model, declaration, inputs)
