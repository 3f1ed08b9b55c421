"""Models that would take their process with them: from disk they are tried in a child process, in Python with small values."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import tfexport
from tests.signature_models.support import assert_agrees, export, floats, save
from tfexport.backends import trials
from tfexport.errors import InputsError
from tfexport.processes.worker import Limits

tf = pytest.importorskip("tensorflow", reason="the TensorFlow backend's tests need TensorFlow")

COUNT = tf.TensorSpec([1], tf.int32, name="n")


def _function(*specs: Any) -> Callable[[Any], Any]:
    compiled: Callable[[Any], Any] = tf.function(input_signature=list(specs))
    return compiled


@_function(COUNT)
def squares(n: Any) -> Any:
    """Terabytes for an id of an ordinary vocabulary."""
    side = n[0] * 64
    return {"y": tf.reduce_sum(tf.zeros([side, side])) + tf.cast(n[0], tf.float32)}


@_function(COUNT)
def counted(n: Any) -> Any:
    return {"y": tf.range(n[0])}


@_function(tf.TensorSpec([], tf.int32, name="n"))
def filled(n: Any) -> Any:
    return {"y": tf.fill([n, 3], 2.0)}


@_function(COUNT)
def aborting(n: Any) -> Any:
    """A list of 200 n tensors, which TensorFlow allocates by a C++ vector: where memory ends, the process aborts."""
    length = 1 + n[0] * 200
    array = tf.TensorArray(tf.float32, size=length, element_shape=[])
    for index in tf.range(length):
        array = array.write(index, tf.cast(index, tf.float32) * 0.5)
    return {"y": array.stack()}


@_function(tf.TensorSpec([None], tf.float32, name="x"))
def always_aborting(x: Any) -> Any:
    return {"y": x * tf.TensorArray(tf.float32, size=2**31 - 1, element_shape=[]).write(0, 1.0).read(0)}


def _saved(function: Any, folder: Path) -> Path:
    module = tf.Module()
    module.function = function
    tf.saved_model.save(module, str(folder), signatures=function)
    return folder


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The error of each trial in a child, empty for none, and whether the child survived it."""
    seen: list[tuple[str, bool]] = []
    run = trials._Child.run

    def recorded(child: Any, arrays: Any) -> Any:
        try:
            shapes = run(child, arrays)
        except tfexport.TfExportError as error:
            seen.append((str(error), child._worker.alive))
            raise
        seen.append(("", True))
        return shapes

    monkeypatch.setattr(trials._Child, "run", recorded)
    return seen


def _children() -> int:
    return len(psutil.Process(os.getpid()).children(recursive=True))


@pytest.mark.parametrize("function", [counted, filled])
def test_an_integer_that_sizes_an_output(function: Any, tmp_path: Path) -> None:
    done = export(_saved(function, tmp_path / "saved"), tmp_path / "out", trust=True)
    assert done.outputs[0][2][0] == "y_axis_0"
    for n in (0, 1, 7):
        fed = np.full(done.inputs[0][2], n, np.int64)
        expected = function(tf.constant(fed, tf.int32))["y"]
        np.testing.assert_array_equal(done.run({"n": fed})["y"], expected)
    assert max(output["shape"][0] for case in done.manifest["validation"]["cases"] for output in case["outputs"]) < 100


def test_an_integer_that_sizes_a_tensor_within(answers: list[tuple[str, bool]], tmp_path: Path) -> None:
    before = _children()
    done = export(_saved(squares, tmp_path / "saved"), tmp_path / "out", trust=True)
    assert [text for text, _ in answers if "more than 4096 MiB of memory" in text] != []
    assert_agrees(done.run({"n": np.array([5])}), {"y": np.float32(5)})
    assert "declare" in done.manifest["stages"]
    assert _children() == before


def test_where_no_child_can_be_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that embeds Python has no interpreter to start: the model is tried in this process, with small values."""
    monkeypatch.setattr(sys, "executable", "")
    done = export(_saved(counted, tmp_path / "saved"), tmp_path / "out", trust=True)
    np.testing.assert_array_equal(done.run({"n": np.array([7])})["y"], np.arange(7))


def test_a_model_that_aborts_for_some_ids(answers: list[tuple[str, bool]], tmp_path: Path) -> None:
    done = export(_saved(aborting, tmp_path / "saved"), tmp_path / "out", trust=True)
    deaths = [text for text, alive in answers if not alive]
    assert deaths != []
    assert all("killed by SIGABRT" in text for text in deaths)
    np.testing.assert_array_equal(done.run({"n": np.array([2])})["y"], np.arange(401) * np.float32(0.5))


def test_a_model_that_always_aborts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(trials, "MOST_DEATHS", 2)
    saved = _saved(always_aborting, tmp_path / "saved")
    with pytest.raises(InputsError, match="killed by SIG(ABRT|SEGV).*--input-shape") as caught:
        tfexport.export_model(saved, tmp_path / "out", trust=True)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_model_that_does_not_come_to_an_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For no id does it end in the time that it has."""

    @_function(tf.TensorSpec([2], tf.float32, name="x"))
    def endless(x: Any) -> Any:
        while tf.reduce_sum(x) < 1.0:
            x = x * 1.0
        return {"y": x}

    monkeypatch.setattr(trials, "LIMITS", Limits(seconds=2.0))
    with pytest.raises(InputsError, match="did not answer within 2 s"):
        tfexport.export_model(_saved(endless, tmp_path / "saved"), tmp_path / "out", trust=True)


def test_ids_beyond_an_embedding_are_still_found(tmp_path: Path) -> None:
    """A child has no reason to be careful: the largest id of the vocabulary is tried."""
    keras = pytest.importorskip("keras")
    ids = keras.Input((None,), dtype="int32", name="ids")
    made = keras.Model(ids, keras.layers.Embedding(1234, 3, name="y")(ids))
    assert _limits(save(made, tmp_path / "model.keras")) == [1234]


def _limits(file: Path) -> list[int]:
    """The limits of the ids in the declaration of a file."""
    from tfexport.pipeline.options import export_options
    from tfexport.pipeline.plan import make_plan
    from tfexport.pipeline.preparation import prepare
    from tfexport.pipeline.stages import Stages

    config: Any = prepare(make_plan(file, export_options()), Stages()).declared.config
    return [tensor.limit for tensor in config._tensors.values()]


def _live(function: Callable[[Any], Any], spec: Any, seen: list[int]) -> Any:
    def watched(n: Any) -> Any:
        tf.py_function(lambda value: seen.append(int(tf.reduce_max(value))), [n], [])
        return function(n)

    return tf.function(watched, input_signature=[spec])


@pytest.mark.parametrize("shape", [[], [1], [None], [None, 1], [3]])
def test_a_function_in_python_gets_small_integers_where_they_may_size_a_tensor(
    shape: list[Any], tmp_path: Path
) -> None:
    from tfexport.checkpoints.checkpoint import open_checkpoint
    from tfexport.declarations.probing import declare

    seen: list[int] = []
    function = _live(lambda n: tf.reduce_sum(n) * 2, tf.TensorSpec(shape, tf.int32, name="n"), seen)
    checkpoint = open_checkpoint(function)
    with trials.trials_of(checkpoint, "tf") as tried:
        from tfexport.backends import get_backend

        model = get_backend("tf").load_signature_model(checkpoint).model
        found = tried(model)
        config = declare(model.fed, found.run, checkpoint.options, "f", careful=found.careful)
    assert found.careful
    assert max(seen) == 15
    assert config._tensors["n"].limit == 16


def test_ids_of_a_model_in_python_grow_until_they_size_a_tensor(tmp_path: Path) -> None:
    seen: list[int] = []
    spec = tf.TensorSpec([None, None], tf.int32, name="n")
    function = _live(lambda n: {"y": tf.range(tf.reduce_max(n))}, spec, seen)
    from tfexport.backends import get_backend
    from tfexport.checkpoints.checkpoint import open_checkpoint
    from tfexport.declarations.probing import declare

    checkpoint = open_checkpoint(function)
    model = get_backend("tf").load_signature_model(checkpoint).model
    with trials.trials_of(checkpoint, "tf") as tried:
        config = declare(model.fed, tried(model).run, checkpoint.options, "f", careful=True)
    assert 65_536 < max(seen) < 4 * 65_536 + 4
    assert config._tensors["n"].limit == 16


def test_a_model_in_python_that_fails_names_both_ways_out(tmp_path: Path) -> None:
    function = tf.function(lambda x: tf.reshape(x, [7, 11]), input_signature=[tf.TensorSpec([None, None], name="x")])
    with pytest.raises(InputsError, match="--input-shape.*input_shapes.*save it to a file"):
        tfexport.export_model(function, tmp_path / "out")


def test_a_file_whose_classes_only_this_process_knows(tmp_path: Path) -> None:
    """The child cannot load it; it is tried here."""
    keras = pytest.importorskip("keras")

    @keras.saving.register_keras_serializable("only_here")
    class Doubled(keras.layers.Layer):  # type: ignore[name-defined, misc]
        def call(self, x: Any) -> Any:
            return x * 2

    x = keras.Input((4,), name="x")
    file = save(keras.Model(x, Doubled(name="y")(x)), tmp_path / "model.keras")
    assert_agrees(export(file, tmp_path / "out").run({"x": floats(3, 4)}), {"y": floats(3, 4) * 2})
