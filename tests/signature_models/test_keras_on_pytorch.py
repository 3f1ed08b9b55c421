"""Keras 3 files exported on PyTorch, compared with the same files run by Keras on TensorFlow."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from tests import support
from tests.signature_models import keras_zoo as zoo
from tfexport.processes.isolation import call_isolated

EXPORTED = ("transformer", "unet", "mobile", "tagger", "recurrent", "masked", "dicts", "two outputs")
RECURRENT = ("LSTM", "GRU", "RNN")
OPERATORS = {
    "tagger": {"LSTM": 2, "GRU": 1},
    "recurrent": {"LSTM": 3, "GRU": 6, "RNN": 2},
    "masked": {"LSTM": 6, "GRU": 6, "RNN": 6},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keras")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    """Return the outputs of Keras on TensorFlow, from its own process."""
    found: dict[str, Any] = call_isolated(zoo.save_and_run, folder)
    return found


@pytest.fixture(scope="module")
def exported(expected: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the results of the exports on PyTorch, from their own process."""
    found: dict[str, Any] = call_isolated(zoo.export_all, folder)
    return found


def session(folder: Path, name: str) -> Any:
    file = folder / "exported" / name / "model.onnx"
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def graph(folder: Path, name: str) -> Any:
    return onnx.load(str(folder / "exported" / name / "model.onnx")).graph


def agree(found: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    for value, true in zip(found.values(), right.values(), strict=True):
        assert value.shape == true.shape
        np.testing.assert_allclose(value, true, atol=2e-5 * max(1.0, float(np.abs(true).max())))


def run(session: Any, arrays: zoo.Arrays) -> dict[str, np.ndarray]:
    fed = {name: array.astype(np.int64) if array.dtype == np.int32 else array for name, array in arrays.items()}
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, fed), strict=True))


@pytest.mark.parametrize("name", EXPORTED)
class TestExported:
    def test_gives_what_tensorflow_gives(
        self, folder: Path, expected: dict[str, Any], exported: dict[str, Any], name: str
    ) -> None:
        assert exported[name]["manifest"]["validated"], exported[name]
        opened = session(folder, name)
        inputs = zoo.MODELS[name][1]
        for arrays, right in zip(inputs, expected[name]["outputs"], strict=True):
            agree(run(opened, arrays), right)

    def test_outputs_are_worth_comparing(self, expected: dict[str, Any], name: str) -> None:
        """Every model has an output that is of the order of 1 and differs from row to row."""
        outputs = expected[name]["outputs"][0].values()
        assert max(float(np.abs(value).max()) for value in outputs) > 0.2
        assert max(float(value.std(axis=-1).max()) for value in outputs) > 0.05

    def test_weights_are_keras_s_own(
        self, folder: Path, expected: dict[str, Any], exported: dict[str, Any], name: str
    ) -> None:
        """Weights have their paths, each once; those of a recurrent layer may have another layout."""
        own = {path: array for path, array in expected[name]["weights"].items() if "seed_generator" not in path}
        kept = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph(folder, name).initializer}
        assert set(own) == set(kept)
        cells = [path for path in own if "_cell/" in path]
        for path in own.keys() - set(cells):
            kernel = kept[path] if kept[path].shape == own[path].shape else None
            if kernel is not None:
                np.testing.assert_array_equal(kernel, own[path])
            else:
                np.testing.assert_array_equal(np.sort(kept[path], axis=None), np.sort(own[path], axis=None))
        for path in cells:
            ours, theirs = (np.sort(array[array != 0], axis=None) for array in (kept[path], own[path]))
            np.testing.assert_array_equal(ours, theirs)

    def test_the_manifest_says_what_loaded_it(self, exported: dict[str, Any], name: str) -> None:
        manifest = exported[name]["manifest"]
        assert manifest["source"]["loaded_by"].startswith("keras 3.")
        assert manifest["framework"]["name"] == "pt"
        assert manifest["exporter"] == "torchscript", manifest["attempts"]


def test_the_other_exporter_knows_the_weights_too(
    folder: Path, expected: dict[str, Any], exported: dict[str, Any]
) -> None:
    assert exported["by dynamo"]["manifest"]["exporter"] == "dynamo"
    own = {path: array for path, array in expected["transformer"]["weights"].items() if "seed_generator" not in path}
    kept = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph(folder, "by dynamo").initializer}
    assert set(own) <= set(kept)
    assert all(kept[name].size <= 4 for name in set(kept) - set(own))
    for arrays, right in zip(zoo.MODELS["transformer"][1], expected["transformer"]["outputs"], strict=True):
        agree(run(session(folder, "by dynamo"), arrays), right)


@pytest.mark.parametrize(("name", "operators"), OPERATORS.items())
def test_recurrent_layers_are_operators(
    folder: Path, exported: dict[str, Any], name: str, operators: dict[str, int]
) -> None:
    nodes = graph(folder, name).node
    found = Counter(node.op_type for node in nodes if node.op_type in (*RECURRENT, "Loop", "Scan", "If"))
    assert found == operators
    weights = {tensor.name for tensor in graph(folder, name).initializer}
    for node in nodes:
        if node.op_type in RECURRENT:  # read as they are in the file: nothing is turned at run time
            assert {each for each in node.input[1:4] if each} <= weights


def test_names_and_order_are_the_author_s(folder: Path, exported: dict[str, Any]) -> None:
    opened = session(folder, "dicts")
    assert [value.name for value in opened.get_inputs()] == ["right", "left"]
    assert [value.name for value in opened.get_outputs()] == ["wide", "narrow"]
    assert [value.name for value in session(folder, "two outputs").get_outputs()] == ["second", "first"]
    names = [value.name for value in session(folder, "recurrent").get_inputs()]
    assert names == ["x", "state", "carry"]


def test_sizes_are_dynamic(folder: Path, exported: dict[str, Any]) -> None:
    (image,) = session(folder, "unet").get_inputs()
    (mask,) = session(folder, "unet").get_outputs()
    assert [isinstance(length, str) for length in image.shape] == [True, True, True, False]
    assert mask.shape == [*image.shape[:3], 2]


class TestUnrolled:
    """Layers that no operator computes."""

    def test_the_error_says_what_to_do(self, folder: Path, exported: dict[str, Any]) -> None:
        found = exported["unrolled"]
        assert found["error"] == "ValidationError"
        message = found["message"].partition("published: ")[2]
        assert message.startswith("the layer own (LSTM) has no operator in ONNX and is unrolled under PyTorch")
        assert "--input-shape" in message
        assert "leave out --framework pt" in message
        assert not (folder / "exported" / "unrolled").exists()

    def test_is_exported_at_one_length(self, folder: Path, expected: dict[str, Any], exported: dict[str, Any]) -> None:
        assert exported["fixed"]["manifest"]["validated"]
        agree(run(session(folder, "fixed"), zoo.MODELS["unrolled"][1][0]), expected["unrolled"]["outputs"][0])

    def test_is_what_every_layer_would_be(self, folder: Path, expected: dict[str, Any]) -> None:
        """Without the patch, every recurrent layer is unrolled."""
        message = call_isolated(zoo.export_without_operators, folder / "tagger.keras")
        assert "disagrees with its source" in message
        assert "is unrolled" not in message


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "error", "text"),
        [
            (
                "saved_model",
                "UnsupportedCheckpointError",
                "PyTorch cannot load",
            ),
            ("of_tf_keras.h5", "CheckpointError", "of_tf_keras.h5 does not load in Keras 3"),
        ],
    )
    def test_what_is_tensorflow_s(self, exported: dict[str, Any], name: str, error: str, text: str) -> None:
        assert exported[name]["error"] == error
        message = exported[name]["message"]
        assert text in message
        assert "Leave out --framework pt" in message
        assert "\n" not in message

    def test_states_that_are_kept(self, exported: dict[str, Any]) -> None:
        assert exported["stateful"]["error"] == "UnsupportedCheckpointError"
        assert "keeps states between calls (kept: stateful=True)" in exported["stateful"]["message"]


EXPORT = """
import json, sys
for name in filter(None, sys.argv[1].split(",")):
    sys.modules[name] = None
if sys.argv[4]:
    import keras
import tfexport
try:
    result = tfexport.export_checkpoint(sys.argv[2], sys.argv[3], framework=sys.argv[5])
    print(json.dumps(["", str(result.valid)]))
except tfexport.TfExportError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def _export(folder: Path, *, absent: str = "", first: str = "", framework: str = "pt") -> tuple[str, str]:
    """Export in a process where packages are absent, or where Keras already runs on another framework."""
    environment = {"KERAS_BACKEND": first} if first else {}
    file, target = folder / "two outputs.keras", folder / "apart"
    ran = support.python(EXPORT, absent, file, target, first, framework, **environment)
    assert ran.code == 0, ran.err
    error, message = json.loads(ran.out.splitlines()[-1])
    return error, message


class TestProcesses:
    @pytest.mark.parametrize(
        ("first", "framework", "wanted"), [("tensorflow", "pt", "torch"), ("torch", "tf", "tensorflow")]
    )
    def test_keras_runs_on_another_framework_already(
        self, folder: Path, expected: dict[str, Any], first: str, framework: str, wanted: str
    ) -> None:
        error, message = _export(folder, first=first, framework=framework)
        assert error == "FrameworkError"
        assert f"Keras runs on {first} in this process, and {wanted} is needed. Set KERAS_BACKEND={wanted}" in message

    def test_tensorflow_is_not_needed(self, folder: Path, expected: dict[str, Any]) -> None:
        assert _export(folder, absent="tensorflow,tf_keras,tf2onnx") == ("", "True")

    @pytest.mark.parametrize(
        ("absent", "text"),
        [
            ("torch,onnxscript", "PyTorch is needed"),
            ("keras", "Keras is needed for this checkpoint and is not installed. Install"),
        ],
    )
    def test_what_is_needed_is_named(self, folder: Path, expected: dict[str, Any], absent: str, text: str) -> None:
        error, message = _export(folder, absent=absent)
        assert error == "FrameworkNotInstalledError"
        assert text in message
