"""An op without an ONNX mapping: the error names op and layer, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tfexport
from tests import support
from tests.support import Ran
from tfexport.errors import ConversionError, UnsupportedOpError

Cli = Callable[..., Ran]


def _bessel_in_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the activation of TensorFlow's BERT by a Bessel function, which ONNX lacks."""
    import tensorflow as tf
    from transformers.models.bert.modeling_tf_bert import TFBertIntermediate

    original = TFBertIntermediate.call

    def call(self: Any, hidden_states: Any) -> Any:
        return tf.math.bessel_i0e(original(self, hidden_states))

    monkeypatch.setattr(TFBertIntermediate, "call", call)


def _bessel_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the activation of PyTorch's BERT in the same way."""
    import torch
    from transformers.models.bert.modeling_bert import BertIntermediate

    original = BertIntermediate.forward

    def forward(self: Any, hidden_states: Any) -> Any:
        return torch.special.i0e(original(self, hidden_states))

    monkeypatch.setattr(BertIntermediate, "forward", forward)


def test_tensorflow(bert: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _bessel_in_tensorflow(monkeypatch)
    with pytest.raises(UnsupportedOpError, match="tf2onnx has no ONNX mapping for 2 op") as caught:
        tfexport.export_checkpoint(bert("h5"), tmp_path / "out")
    assert [op for op, _ in caught.value.ops] == ["BesselI0e", "BesselI0e"]
    for index, (_, layer) in enumerate(caught.value.ops):
        assert f"layer_._{index}/intermediate" in layer
    assert "Nothing was written" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("old", [True, False])
def test_tensorflow_on_the_command_line(
    old: bool, cli: Cli, bert: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    if old:
        assert cli("export", "-m", bert("h5"), target).code == 0
    before = support.snapshot(target)
    _bessel_in_tensorflow(monkeypatch)
    ran = cli("export", "-m", bert("h5"), target)
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert "BesselI0e in" in ran.errors[0]
    assert "layer_._0/intermediate" in ran.errors[0]
    assert ran.err.splitlines() == ["inspect", "load", "convert", *ran.errors]
    assert support.snapshot(target) == before
    assert target.exists() == old
    assert support.leftovers(target) == []


def test_pytorch(cli: Cli, bert: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _bessel_in_torch(monkeypatch)
    ran = cli("export", "-m", bert("pt"), tmp_path / "out")
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert "special_i0e" in ran.errors[0]
    assert "layer.0.intermediate" in ran.errors[0]
    assert set(ran.err.splitlines()) - set(ran.errors) == {"inspect", "load", "convert"}
    assert list(tmp_path.iterdir()) == []


def test_pytorch_says_what_each_exporter_lacks(
    bert: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _bessel_in_torch(monkeypatch)
    with pytest.raises(ConversionError, match="torchscript: .*dynamo: "):
        tfexport.export_checkpoint(bert("pt"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_fails_by_itself_is_one_line(
    cli: Cli, bert: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.bert.modeling_tf_bert import TFBertIntermediate

    def call(self: Any, hidden_states: Any) -> Any:
        raise ValueError("broken\nin\nmany lines")

    monkeypatch.setattr(TFBertIntermediate, "call", call)
    ran = cli("export", "-m", bert("h5"), tmp_path / "out")
    assert ran.code == 2
    assert len(ran.errors) == 1
    assert "broken in many lines" in ran.errors[0]
    assert ran.err.splitlines() == ["inspect", "load", "convert", *ran.errors]
    assert list(tmp_path.iterdir()) == []
