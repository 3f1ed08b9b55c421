"""One module knows transformers: no other imports it, and nothing but its checkpoints needs it."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests import support
from tests.support import ROOT, Ran

ADAPTER = "checkpoints/transformers_api.py"
PACKAGES = ("transformers", "huggingface_hub")

# Run at the start of each Python process, of children too: neither package can be imported, and neither has a version.
BLOCK = """
import importlib.metadata, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("transformers", "huggingface_hub"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
def without(function):
    def version(package):
        if package.replace("-", "_") in ("transformers", "huggingface_hub"):
            raise importlib.metadata.PackageNotFoundError(package)
        return function(package)
    return version
importlib.metadata.version = without(importlib.metadata.version)
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name.split(".")[0] in ("transformers", "huggingface_hub") else real(name, package)
)
"""


@pytest.fixture(scope="module")
def blocked(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "sitecustomize.py").write_text(BLOCK)
    return str(folder)


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func) and node.args:
            yield ast.unparse(node.args[0]).lstrip("f").strip("\"'")


def test_no_other_module_imports_it() -> None:
    package = ROOT / "tfexport"
    found = [
        f"{file.relative_to(package)}: {name}"
        for file in sorted(package.rglob("*.py"))
        for name in _imports(file)
        if name.split(".")[0] in PACKAGES
    ]
    assert found == []  # the adapter imports by names that it is given, on first use
    assert (package / ADAPTER).is_file()


def test_the_block_works(blocked: str) -> None:
    for package in PACKAGES:
        ran = support.python(f"import {package}", PYTHONPATH=blocked)
        assert ran.code == 1
        assert "ModuleNotFoundError" in ran.err


@pytest.mark.parametrize("code", ["import tfexport; print(len(tfexport.__all__))", "import tfexport.onnx"])
def test_the_package_is_imported_without_it(code: str, blocked: str) -> None:
    ran = support.python(code, PYTHONPATH=blocked)
    assert ran.code == 0, ran.err


def test_every_public_name_is_there_without_it(blocked: str) -> None:
    code = "import tfexport; [getattr(tfexport, name) for name in tfexport.__all__]; print('all')"
    ran = support.python(code, PYTHONPATH=blocked)
    assert (ran.code, ran.out.strip()) == (0, "all"), ran.err


def test_help_without_it(blocked: str) -> None:
    ran = support.tfexport("--help", PYTHONPATH=blocked)
    assert ran.code == 0, ran.err
    assert "export" in ran.out


def test_doctor_without_it(blocked: str) -> None:
    ran = support.tfexport("doctor", "--json", PYTHONPATH=blocked)
    report = json.loads(ran.out)
    status = {finding["subject"]: finding["status"] for finding in report["findings"]}
    assert status == {"PyTorch": "ok", "TensorFlow": "ok", "ONNX Runtime": "ok", "transformers": "absent"}
    assert (ran.code, report["healthy"]) == (0, True)
    assert "transformers" not in report["versions"]


MODEL = """
import sys, keras
layers = keras.layers
model = keras.Sequential([layers.Input((3,), name="x"), layers.Dense(4, activation="tanh"), layers.Dense(2, name="y")])
model.save(sys.argv[1])
import numpy as np
np.save(sys.argv[2], model(np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)))
"""
SAVED_MODEL = """
import sys, numpy as np, tensorflow as tf
module = tf.Module()
module.w = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
call = tf.function(lambda x: {"y": x @ module.w}, input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
module.call = call
tf.saved_model.save(module, sys.argv[1], signatures=call)
np.save(sys.argv[2], call(tf.constant(np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)))["y"])
"""


def _check(ran: Ran, folder: Path, expected: Path) -> None:
    assert ran.code == 0, ran.err
    assert support.assert_complete(folder)["validated"] is True
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)})
    np.testing.assert_allclose(y, np.load(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("framework", ["tf", "pt"])
def test_a_keras_file_without_it(framework: str, blocked: str, tmp_path: Path) -> None:
    file, expected = tmp_path / "net.keras", tmp_path / "expected.npy"
    made = support.python(MODEL, file, expected, PYTHONPATH=blocked)
    assert made.code == 0, made.err
    ran = support.tfexport("export", "-m", file, "--framework", framework, tmp_path / "out", PYTHONPATH=blocked)
    _check(ran, tmp_path / "out", expected)


def test_a_saved_model_without_it(blocked: str, tmp_path: Path) -> None:
    folder, expected = tmp_path / "saved", tmp_path / "expected.npy"
    made = support.python(SAVED_MODEL, folder, expected, PYTHONPATH=blocked)
    assert made.code == 0, made.err
    ran = support.tfexport("export", "-m", folder, "--trust", tmp_path / "out", PYTHONPATH=blocked)
    _check(ran, tmp_path / "out", expected)


def test_a_checkpoint_of_transformers_names_what_to_install(
    blocked: str, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    ran = support.tfexport("export", "-m", bert("h5"), tmp_path / "out", PYTHONPATH=blocked)
    assert ran.code != 0
    assert ran.errors == [
        "error: this checkpoint needs transformers, which is not installed. Install tfexport[transformers] (the packages "
        "transformers and huggingface-hub)."
    ]
    assert not (tmp_path / "out").exists()


def test_a_hub_id_names_what_to_install(blocked: str, tmp_path: Path) -> None:
    ran = support.tfexport("export", "-m", "org/name", tmp_path / "out", PYTHONPATH=blocked)
    assert ran.code != 0
    assert ran.errors == [
        "error: 'org/name' is not an existing path, and looking it up on the hub needs huggingface_hub, which is not "
        "installed. Install tfexport[transformers] (the packages transformers and huggingface-hub)."
    ]
