"""Each patch and op handler is still needed: without it a row that the zoo passes fails. Remove one that fails no row."""

from __future__ import annotations

import io
import re
from contextlib import nullcontext
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
import torch

from conformance.zoo.rows import check, rows
from tests.backends.test_tensorflow import converted, run
from tests.support import ROOT
from tfexport.backends import pytorch
from tfexport.backends.pytorch import patches as pytorch_patches
from tfexport.backends.pytorch.patches import patched_torch
from tfexport.backends.tensorflow import conversion, ops
from tfexport.backends.tensorflow import patches as tensorflow_patches
from tfexport.backends.tensorflow.patches import keras_signbit
from tfexport.backends.versions import Versions, not_applied
from tfexport.errors import TfExportError

ROWS = {row.name: row for row in rows()}

# Op handlers and patches of TensorFlow, each with a row that needs it.
OPS = {
    "bias_add": "sam/mask-generation/tf",
    "einsum": "idefics/default/tf",
    "erfc": "bert/default/tf",
    "gather": "deit/masked-im/tf",
    "matrix_set_diag": "clip/default/tf",
    "select": "deberta-v2/default/tf",
    "unsorted_segment": "tapas/default/tf",
}
TENSORFLOW = {
    "ctrl_cache": "ctrl/causal-lm-with-past/tf",
    "deberta_bias": "deberta/default/tf",
    "funnel_pooling": "funnel/default/tf",
    "past_length": "xglm/causal-lm-with-past/tf",
    "rag_marginalize": "rag/seq2seq-lm/tf",
    "swiftformer": "swiftformer/default/tf",
    "t5_positions": "t5/seq2seq-lm-with-past/tf",
}
PYTORCH = {
    "adaptive_pooling": "beit/semantic-segmentation/pt",
    "esm_rotary": "esm/default/pt",
    "funnel_positions": "funnel/default/pt",
    "imagegpt": "imagegpt/default/pt",
    "masks": "gpt2/default/pt",
    "mobilevit": "mobilevit/default/pt",
    "packed_sequences": "whisper/default/pt",
    "same_padding": "mobilenet-v1/default/pt",
    "swin": "swin/default/pt",
    "tapas_segments": "tapas/default/pt",
    "xmod_adapter": "xmod/default/pt",
}
# Workarounds without which every row passes: they save time or noise, or have a test of their own.
ELSEWHERE = {
    "exporter": "tests/backends/test_pytorch.py",
    "floor_division": "below: no row divides a negative length",
    "idefics": "tests/backends/test_tf_idefics.py",
    "keras_batch_norm": "one operator in place of seven: tests/backends/test_tf_keras_patches.py",
    "keras_dropout_masks": "tests/backends/test_tf_recurrent.py",
    "keras_layer_norm": "without it the transformer of tests/signature_models/test_keras_on_pytorch.py is left to dynamo",
    "keras_recurrent": "tests/backends/test_tf_recurrent.py; of PyTorch: tests/signature_models/test_keras_on_pytorch.py",
    "keras_resize": "tests/backends/test_tf_keras_patches.py",
    "keras_signbit": "tests/signature_models/test_functions.py",
    "keras_time_distributed": "tests/backends/test_tf_recurrent.py",
    "length_branches": "saves AutoGraph's conditionals: tests/backends/test_tf_cache.py",
    "linspace": "tests/backends/test_pt_segments_and_spaces.py",
    "led": "without it ONNX Runtime ends the process, as for Longformer",
    "longformer": "tests/backends/test_pytorch.py",
    "mobilevit": "saves AutoGraph's conditionals",
    "nested_functions": "tests/backends/test_tf_recurrent.py",
    "py_func": "tests/backends/test_tf_recurrent.py",
    "sam_mask_decoder": "saves AutoGraph's conditionals: tests/backends/test_tf_sam.py",
    "swin": "of TensorFlow: tests/backends/test_swin.py",
    "tensor_list_from_tensor": "tests/backends/test_tf_recurrent.py",
    "tf_keras_recurrent": "tests/backends/test_tf_recurrent.py",
}


def _fails(name: str) -> bool:
    try:
        return not check(ROWS[name]).passed
    except TfExportError:
        return True


@pytest.mark.parametrize(("name", "row"), OPS.items())
def test_ops(name: str, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (module,) = (module for module in ops.MODULES if module.__name__.endswith(f".{name}"))
    kept = {name: handler for name, handler in ops.HANDLERS.items() if name not in module.HANDLERS}
    monkeypatch.setattr(conversion, "HANDLERS", kept)
    assert _fails(row)


@pytest.mark.parametrize(("name", "row"), TENSORFLOW.items())
def test_tensorflow_patches(name: str, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(module for module in tensorflow_patches.MODULES if not module.__name__.endswith(f".{name}"))
    monkeypatch.setattr(tensorflow_patches, "MODULES", kept)
    assert _fails(row)


@pytest.mark.parametrize(("name", "row"), PYTORCH.items())
def test_pytorch_patches(name: str, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(module for module in pytorch_patches.MODULES if not module.__name__.endswith(f".{name}"))
    monkeypatch.setattr(pytorch_patches, "MODULES", kept)
    routes = {"torchscript": pytorch._ROUTES["torchscript"]}  # dynamo may pass where TorchScript fails
    monkeypatch.setattr(pytorch, "_ROUTES", routes)
    assert _fails(row)


@pytest.mark.parametrize("patched", [True, False])
def test_tensorflow_rounds_integers_down(patched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not patched:
        (module,) = (module for module in ops.MODULES if module.__name__.endswith(".floor_division"))
        kept = {name: handler for name, handler in ops.HANDLERS.items() if name not in module.HANDLERS}
        monkeypatch.setattr(conversion, "HANDLERS", kept)
    graph = converted(lambda x: x // 2, tf.TensorSpec([None], tf.int64, name="x"))
    found = run(graph, x=np.array([-3, -2, 3]))[0]
    np.testing.assert_array_equal(found, [-2, -1, 1] if patched else [-1, -1, 1])


class _Half(torch.nn.Module):  # type: ignore[misc]
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x // 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of the TorchScript exporter
@pytest.mark.parametrize("patched", [True, False])
def test_pytorch_rounds_integers_down(patched: bool) -> None:
    file = io.BytesIO()
    with patched_torch() if patched else nullcontext():
        arguments = (torch.tensor([-3, -2, 3]),)
        torch.onnx.export(_Half(), arguments, file, dynamo=False, input_names=["x"], opset_version=18)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.array([-3, -2, 3])})
    np.testing.assert_array_equal(found, [-2, -1, 1] if patched else [-1, -1, 1])


WALKED = {
    module.__name__: module for package in (ops, tensorflow_patches, pytorch_patches) for module in package.MODULES
}


@pytest.mark.parametrize("name", WALKED)
def test_the_versions_of_each_contain_the_one_that_is_tested(name: str) -> None:
    tested = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    versions = WALKED[name].VERSIONS
    found = tested.get(versions.package) or tested[versions.package.replace("-", "_")]
    assert found in versions
    assert "0.1" not in versions
    assert "999" not in versions  # each range has an end: a later version is reviewed before it is patched


def test_a_patch_for_other_versions_is_not_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [spec.name for spec in tensorflow_patches._specs()]
    monkeypatch.setattr(keras_signbit, "VERSIONS", Versions("keras", ">=999"))
    after = [spec.name for spec in tensorflow_patches._specs()]
    assert "signbit" in before
    assert after == [name for name in before if name != "signbit"]
    (sentence,) = not_applied(tensorflow_patches.MODULES)
    assert sentence.startswith("keras_signbit is for keras>=999, and ")


def test_a_package_that_is_not_installed_needs_no_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_signbit, "VERSIONS", Versions("no-such-package", ">=1"))
    assert "signbit" not in [spec.name for spec in tensorflow_patches._specs()]
    assert not_applied(tensorflow_patches.MODULES) == []


def test_patches_of_transformers_serve_only_its_models() -> None:
    packages = {module.VERSIONS.package for module in tensorflow_patches.MODULES}
    assert packages == {"transformers", "keras", "tf-keras", "tensorflow"}
    others = [module for module in tensorflow_patches.MODULES if module.VERSIONS.package != "transformers"]
    expected = [spec.name for module in others for spec in module.specs()]
    assert [spec.name for spec in tensorflow_patches._specs(of_transformers=False)] == expected


def test_every_workaround_is_listed() -> None:
    listed = (
        (ops, {*OPS, *ELSEWHERE}),
        (tensorflow_patches, {*TENSORFLOW, *ELSEWHERE}),
        (pytorch_patches, {*PYTORCH, *ELSEWHERE}),
    )
    for package, names in listed:
        folder = str(Path(str(package.__file__)).parent)
        assert {module.name for module in iter_modules([folder])} <= names
