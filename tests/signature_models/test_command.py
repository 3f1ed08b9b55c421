"""Models that declare themselves, exported from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests import support
from tests.signature_models.support import floats, save, with_weights
from tests.support import Ran

keras = pytest.importorskip("keras", reason="the TensorFlow backend's tests need TensorFlow")

Cli = Callable[..., Ran]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model for images of any size, with one number per image."""
    image, factor = keras.Input((None, None, 3), name="image"), keras.Input((1,), name="factor")
    maps = keras.layers.Conv2D(4, 3, padding="same", name="maps")(image)
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(maps)
    made = keras.Model([image, factor], [maps, keras.layers.Multiply(name="scaled")([mean, factor])])
    return save(with_weights(made), tmp_path_factory.mktemp("model") / "model.keras")


def test_every_option(model: Path, cli: Cli, tmp_path: Path) -> None:
    ran = cli(
        "export",
        "-m",
        model,
        tmp_path / "out",
        "--input-shape=image=2,32,?,3",
        "--input-shape",
        "factor=2,1",
        "--axis-names",
        "image=,,width",
        "--axis-names=maps=,,,columns",
        "--inputs-as-nchw=image",
        "--outputs-as-nchw",
        "maps",
    )
    # The shape is that of the file's input, which is channels first.
    assert ran.code == 2
    assert "has the shape [2, 32, ?, 3] for the input image float32[?, 3, ?, ?]" in ran.errors[0]
    ran = cli(
        "export",
        "-m",
        model,
        tmp_path / "out",
        "--input-shape=image=2,3,32,?",
        "--input-shape",
        "factor=2,1",
        "--axis-names",
        "image=,,,width",
        "--axis-names=maps=,,,columns",
        "--inputs-as-nchw=image",
        "--outputs-as-nchw",
        "maps",
    )
    assert ran.code == 0, ran.err
    shown = " ".join(ran.out.split())
    assert "image[2, 3, 32, width], factor[2, 1]" in shown
    assert "maps[2, 4, 32, columns], scaled[2, 4]" in shown
    assert f"loaded by keras {keras.__version__}" in shown
    manifest = support.assert_complete(tmp_path / "out")
    assert manifest["source"]["options"] == {
        "input_shapes": {"image": [2, 3, 32, None], "factor": [2, 1]},
        "axis_names": {"image": {"3": "width"}, "maps": {"3": "columns"}},
        "inputs_as_nchw": ["image"],
        "outputs_as_nchw": ["maps"],
    }
    image, factor = floats(2, 32, 9, 3), floats(2, 1)
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"))
    maps, scaled = session.run(None, {"image": image.transpose(0, 3, 1, 2), "factor": factor})
    expected = keras.saving.load_model(model)([image, factor])
    np.testing.assert_allclose(maps.transpose(0, 2, 3, 1), expected[0], atol=1e-5)
    np.testing.assert_allclose(scaled, expected[1], atol=1e-5)


def test_json_is_the_manifest_alone(model: Path, cli: Cli, tmp_path: Path) -> None:
    ran = cli("export", "--json", "-m", model, tmp_path / "out", "--axis-names", "image=n,height,width")
    assert (ran.code, ran.err) == (0, "")
    manifest = json.loads(ran.out)
    assert manifest == json.loads((tmp_path / "out" / "tfexport.json").read_text())
    assert [port["shape"] for port in manifest["graphs"]["model.onnx"]["inputs"]] == [
        ["n", "height", "width", 3],
        ["n", 1],
    ]
    assert manifest["validated"] is True
    assert manifest["validation"]["max_abs_error"] < 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input-shape", "1,64,64,3"], "--input-shape '1,64,64,3' is not of the form NAME="),
        (["--input-shape", "image"], "--input-shape 'image' is not of the form NAME="),
        (["--input-shape", "image=1,--5,?,3"], "--input-shape has '--5' for an axis of image"),
        (["--input-shape", "image=1,0,?,3"], "--input-shape has the length 0 for an axis of image"),
        (["--input-shape", "image=1,64,64,4"], "which does not take it"),
        (["--input-shape", "picture=1"], "--input-shape (input_shapes=...) names picture; the model has image, factor"),
        (["--axis-names", "batch,time"], "--axis-names 'batch,time' is not of the form NAME="),
        (["--axis-names", "image=n,,,channels"], "--axis-names (axis_names=...) names axis 3 of image"),
        (["--axis-names", "image=n,64"], "--axis-names has '64' as the name of an axis of image"),
        (["--axis-names", "image=n", "--axis-names", "image=m"], "--axis-names names image twice"),
        (["--inputs-as-nchw", "factor"], "factor float32[?, 1] is not a batch of images"),
        (["--inputs-as-nchw", "maps"], "--inputs-as-nchw (inputs_as_nchw=...) names maps; the model has image, factor"),
        (
            ["--outputs-as-nchw", "image"],
            "--outputs-as-nchw (outputs_as_nchw=...) names image; the model has maps, scaled",
        ),
        (["--opset", "99"], "opset 99 cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, model: Path, cli: Cli, tmp_path: Path
) -> None:
    ran = cli("export", "-m", model, *arguments, tmp_path / "out")
    assert ran.code == 2
    assert ran.out == ""
    assert len(ran.errors) == 1, ran.err
    assert message in ran.errors[0], ran.err
    assert "unexpected" not in ran.err
    assert "Traceback" not in ran.err
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_export_is_exit_code_1(model: Path, cli: Cli, tmp_path: Path) -> None:
    strict = ("--atol", "0", "--rtol", "0")
    ran = cli("export", "-m", model, *strict, tmp_path / "out")
    assert ran.code == 1
    assert "disagrees with its source" in ran.errors[0]
    assert list(tmp_path.iterdir()) == []
    ran = cli("export", "--json", "-m", model, *strict, "--keep-invalid", tmp_path / "out")
    assert ran.code == 1
    assert json.loads(ran.out)["validated"] is False
    support.assert_complete(tmp_path / "out")


def test_in_a_fresh_process(model: Path, tmp_path: Path) -> None:
    """The prints of TensorFlow and Keras stay off the screen."""
    ran = support.tfexport("export", "-m", model, tmp_path / "out", TF_CPP_MIN_LOG_LEVEL="0")
    assert ran.code == 0
    assert ran.err.splitlines() == ["inspect", "load", "declare", "convert", "write", "validate", "publish"]
