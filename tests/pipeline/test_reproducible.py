"""Two exports of one checkpoint are equal byte for byte, in two processes and in one, on every route of both frameworks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests import support

TIMES = {"created", "stages"}
"""Fields of the manifest that differ from export to export."""

# The models of the second round, in the first process, are exported once more, after others were.
EXPORTS = """
import json, sys
import tfexport
from tfexport.backends import pytorch, tensorflow
folder, jobs, rounds = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
routes = dict(pytorch._ROUTES)
for number in rounds:
    for name, job in jobs.items():
        if number == "second" and not job["again"]:
            continue
        route = job["route"]
        pytorch._ROUTES = {route: routes[route]} if route else routes
        tfexport.export_model(job["model"], f"{folder}/{number}/{name}", **job["options"])
"""


def _seeds(root: Path) -> dict[str, dict[str, Any]]:
    """Make the models, and return an export of each."""
    for name, (model_type, class_name, form) in {
        "bert-tf": ("bert", "BertModel", "h5"),
        "bert-pt": ("bert", "BertModel", "pt"),
        "gpt2-pt": ("gpt2", "GPT2LMHeadModel", "pt"),
        "t5-tf": ("t5", "T5ForConditionalGeneration", "h5"),
    }.items():
        support.save_tiny(root / name, model_type, class_name, form)
    support.set_special_tokens(root / "gpt2-pt", 97)
    _save_recurrent(root / "recurrent.keras")
    _save_looping(root / "looping")
    return {
        "bert-tf": _job(root / "bert-tf", again=True),
        "t5-tf": _job(root / "t5-tf", feature="seq2seq-lm-with-past"),
        "recurrent": _job(root / "recurrent.keras"),
        "looping": _job(root / "looping", again=True, trust=True),
        "bert-pt-opset-21": _job(root / "bert-pt", again=True, opset=21),
        "gpt2-pt-genai": _job(root / "gpt2-pt", genai=True, feature="causal-lm-with-past"),
        "bert-pt-dynamo": _job(root / "bert-pt", route="dynamo", opset=18),
        "no-weights": _job(_without_a_weight(root), allow_missing_weights=True),
    }


def _job(model: Path, *, route: str = "", again: bool = False, **options: Any) -> dict[str, Any]:
    return {"model": str(model), "route": route, "again": again, "options": options}


def _save_recurrent(path: Path) -> None:
    import keras

    inputs = keras.Input((6, 4), name="x")
    hidden = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))(inputs)
    hidden = keras.layers.GRU(3, activation="relu", return_sequences=True)(hidden)  # a Loop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Keras itself, in NumPy 2
        keras.Model(inputs, keras.layers.Conv1D(2, 3)(hidden)).save(path)


def _save_looping(path: Path) -> None:
    import tensorflow as tf

    class Looping(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.eye(4))

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> dict[str, Any]:
            for _ in tf.range(tf.shape(x)[0]):
                x = tf.tanh(x @ self.kernel) if tf.reduce_sum(x) > 0 else tf.sin(x + 1.0)
            return {"y": x}

    module = Looping()
    tf.saved_model.save(module, str(path), signatures=module.__call__)


def _without_a_weight(root: Path) -> Path:
    """Return a BERT whose pooler has no weights on disk: the export makes them."""
    support.save_tiny(root / "headless", "bert", "BertForMaskedLM", "pt")
    config = json.loads((root / "headless" / "config.json").read_text()) | {"architectures": ["BertModel"]}
    return support.write_config(root / "headless", config)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the exports of two processes with different hash seeds, then the second exports of the first process."""
    root = tmp_path_factory.mktemp("reproducible")
    jobs = _seeds(root)
    folders = [root / f"hash-seed-{seed}" for seed in (0, 1)]
    rounds = (["first", "second"], ["first"])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", EXPORTS, str(folder), json.dumps(jobs), *rounds[seed]],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            cwd=support.ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for seed, folder in enumerate(folders)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=support.CHILD_SECONDS * 5)
            assert process.returncode == 0, errors.decode()[-2000:]
    finally:
        for process in processes:
            process.kill()
    return [folders[0] / "first", folders[1] / "first", folders[0] / "second"]


def test_the_same_bytes(exports: list[Path]) -> None:
    first, other, again = map(support.snapshot, exports)
    assert sum(name.endswith(".onnx") for name in first) == 11
    assert sorted(other) == sorted(first)
    for each in (other, again):
        assert sum(name.endswith(".onnx") for name in each) >= 3
        assert [name for name in each if first[name] != each[name] and not name.endswith("tfexport.json")] == []


def test_the_same_manifest_but_for_times(exports: list[Path]) -> None:
    first, *others = (
        {file.parent.name: _manifest(file) for file in folder.glob("*/tfexport.json")} for folder in exports
    )
    for other in others:
        assert other == {name: first[name] for name in other}


def _manifest(file: Path) -> dict[str, Any]:
    return {name: value for name, value in json.loads(file.read_text()).items() if name not in TIMES}


def test_no_path_of_this_machine_is_in_a_file(exports: list[Path]) -> None:
    for file in exports[0].rglob("*.onnx"):
        written = file.read_bytes()
        assert not any(sign in written for sign in (b"site-packages", b'File "', str(support.ROOT).encode())), file
