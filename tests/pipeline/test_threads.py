"""Two threads that export do not corrupt each other: their files are those of one thread, and no patch is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import support

# In a process of its own: a thread that dies or hangs must not take the other tests with it.
EXPORTS = """
import json, logging, os, sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
import onnxruntime
import tfexport
from tfexport.backends import pytorch, tensorflow
from tfexport.backends.keras import keras_on
from tfexport.backends.pytorch import patches as of_pytorch
from tfexport.backends.tensorflow import patches as of_tensorflow

tf_bert, pt_bert, folder = sys.argv[1:4]
keras = keras_on("tf")
inputs = keras.Input((6, 4), name="x")
hidden = keras.layers.Dense(8, activation="relu")(keras.layers.LSTM(5, return_sequences=True)(inputs))
model = keras.Model(inputs, keras.layers.Dense(3, name="y")(keras.layers.Conv1D(4, 3)(hidden)))
SOURCES = {"keras": model, "pt": pt_bert, "tf": tf_bert}

def export(name, number):
    result = tfexport.export_checkpoint(SOURCES[name], Path(folder) / f"{name}-{number}")
    assert result.valid
    return name, result.path, result.manifest

def computed(path):
    session = onnxruntime.InferenceSession(str(path / "model.onnx"), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    made = {
        "x": random.normal(size=(2, 6, 4)).astype(np.float32),
        "input_ids": random.integers(1, 90, (2, 5)),
        "attention_mask": np.ones((2, 5), np.int64),
        "token_type_ids": np.zeros((2, 5), np.int64),
    }
    return [array.tobytes() for array in session.run(None, {v.name: made[v.name] for v in session.get_inputs()})]

def facts(manifest):
    graph = manifest["graphs"]["model.onnx"]
    return [manifest["exporter"], manifest["source"], graph, len(manifest["validation"]["cases"])]

def state():
    specs = [*of_pytorch._specs(), *of_tensorflow._specs()]
    attributes = {(spec.o, spec.name): vars(spec.o).get(spec.name) for spec in specs}
    return attributes, logging.root.manager.disable, list(warnings.filters), sys.stdout, sys.stderr, dict(os.environ)

alone = {name: export(name, "alone") for name in SOURCES}
before = state()
sys.setswitchinterval(1e-5)
names = ["keras", "pt"] * 8 + ["keras", "tf"] * 2
with ThreadPoolExecutor(2) as threads:
    done = list(threads.map(export, names, range(len(names))))
after = state()
for name, path, manifest in done:
    assert facts(manifest) == facts(alone[name][2]), (name, path)
    assert computed(path) == computed(alone[name][1]), (name, path)
assert len(before[0]) > 10
left = [place for place, found in before[0].items() if after[0][place] is not found]
assert not left, left
assert before[1:] == after[1:]
print(json.dumps(len(done)))
"""


@pytest.mark.parametrize("forms", [("h5", "pt")])
def test_twenty_exports_by_two_threads(forms: tuple[str, str], bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = support.python(EXPORTS, *map(bert, forms), tmp_path)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out.splitlines()[-1]) == 20


# Nothing is imported yet: each thread imports its framework, and transformers.
FIRST = """
import json, sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import tfexport
sys.setswitchinterval(1e-5)
together = threading.Barrier(2)
def export(source, name):
    together.wait()
    return tfexport.export_checkpoint(source, Path(sys.argv[3]) / name).valid
with ThreadPoolExecutor(2) as threads:
    print(json.dumps(list(threads.map(export, sys.argv[1:3], ("first", "second")))))
"""


def test_the_first_exports_of_a_process_by_two_threads(bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = support.python(FIRST, bert("h5"), bert("pt"), tmp_path)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out.splitlines()[-1]) == [True, True]
    for name in ("first", "second"):
        support.assert_complete(tmp_path / name)
