"""Each line works where the other framework cannot be imported: in processes of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import support

# What is None in sys.modules cannot be imported, and importlib.util.find_spec does not find it.
WITHOUT = """
import sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
import json
"""
EXPORT = """
import tfexport
from tfexport.backends import installed_frameworks
result = tfexport.export_checkpoint(sys.argv[2], sys.argv[3])
assert not [name for name in sys.argv[1].split(",") if sys.modules.get(name) is not None]
print(json.dumps([result.valid, result.choice.framework, result.choice.reason, sorted(installed_frameworks())]))
"""
PAST = """
import tfexport
from transformers import GPT2Config
class Declared(tfexport.OnnxConfigWithPast):
    inputs = {"input_ids": {0: "batch", 1: "sequence"}, "attention_mask": {0: "batch", 1: "sequence"}}
made = Declared.with_past(GPT2Config(n_layer=2, n_head=4, n_embd=32)).generate_dummy_inputs(None, framework=sys.argv[2])
print(json.dumps([type(made["past_key_values"][1][0]).__module__.split(".")[0], list(made["attention_mask"].shape)]))
"""
REFUSED = """
import tfexport
try:
    tfexport.export_checkpoint(sys.argv[2], sys.argv[3])
except tfexport.TfExportError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""
TORCH = "torch,onnxscript"
TENSORFLOW = "tensorflow,tf_keras,keras,tf2onnx"


@pytest.mark.parametrize(
    ("absent", "form", "framework"),
    [(TORCH, "h5", "tf"), (TORCH, "tf-safetensors", "tf"), (TENSORFLOW, "pt", "pt")],
)
def test_export_without_the_other_framework(
    absent: str, form: str, framework: str, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    ran = support.python(WITHOUT + EXPORT, absent, bert(form), tmp_path / "out")
    assert ran.code == 0, ran.err
    valid, chosen, reason, installed = json.loads(ran.out.splitlines()[-1])
    assert (valid, chosen, installed) == (True, framework, [framework])
    assert "because the checkpoint holds" in reason
    assert support.assert_complete(tmp_path / "out")["validated"] is True


@pytest.mark.parametrize(("absent", "framework", "library"), [(TORCH, "tf", "tensorflow"), (TENSORFLOW, "pt", "torch")])
def test_dummy_past_without_the_other_framework(absent: str, framework: str, library: str) -> None:
    ran = support.python(WITHOUT + PAST, absent, framework)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out.splitlines()[-1]) == [library, [2, 18]]


@pytest.mark.parametrize(
    ("absent", "form", "needed"),
    [(TORCH, "pt", "PyTorch is needed"), (TENSORFLOW, "h5", "TensorFlow is needed")],
)
def test_the_framework_that_is_needed_is_named(
    absent: str, form: str, needed: str, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    ran = support.python(WITHOUT + REFUSED, absent, bert(form), tmp_path / "out")
    assert ran.code == 0, ran.err
    kind, message = json.loads(ran.out.splitlines()[-1])
    assert kind == "FrameworkNotInstalledError"
    assert needed in message
    assert "Install tfexport[" in message
    assert not (tmp_path / "out").exists()
