"""An export leaves its process as it was: when it succeeds, fails, or is interrupted in any stage or in the model's own code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests import support

STAGES = ("inspect", "load", "convert", "write", "validate", "publish")

# In a process of its own, whose state nobody else changes.
PROGRAM = """
import json, os, random, sys
from pathlib import Path
import numpy, tensorflow, tf_keras, torch, transformers
import tfexport
from tests.pipeline.process_state import changes, state

folder = Path(sys.argv[1])
tf_bert, pt_bert, stages = json.loads(sys.argv[2])
found = {}
random.seed(1), numpy.random.seed(2), torch.manual_seed(3), tensorflow.random.set_seed(4)

def interrupt_at(stage):
    def progress(name):
        if name == stage:
            raise KeyboardInterrupt
    return progress

def check(name, export, raises=None):
    before = state()
    try:
        export()
        assert raises is None, name
    except BaseException as error:
        assert raises is not None and isinstance(error, raises), (name, error)
    found[name] = changes(before)
    found[name] += [file.name for file in folder.iterdir() if ".tfexport-" in file.name]

class Breaks(tf_keras.layers.Layer):
    error = None
    def call(self, x):
        if Breaks.error is not None and not tensorflow.executing_eagerly():
            raise Breaks.error
        return 2.0 * x

inputs = tf_keras.Input((8,), name="x")
layered = tf_keras.Model(inputs, Breaks()(inputs))
models = {"tf": tf_bert, "pt": pt_bert, "python": layered}
for name, model in models.items():
    export = lambda **more: tfexport.export_model(model, folder / name, **more)
    export()
    check(f"{name} exported", export)
    for stage in stages:
        check(f"{name} interrupted: {stage}", lambda: export(progress=interrupt_at(stage)), KeyboardInterrupt)
for error in (ValueError("x"), MemoryError(), RecursionError(), KeyboardInterrupt()):
    Breaks.error = error
    name = f"python, {type(error).__name__} while it is traced"
    check(name, lambda: tfexport.export_model(layered, folder / "python"), BaseException)
check("no checkpoint", lambda: tfexport.export_model(str(folder / "none"), folder / "out"), tfexport.TfExportError)
print(json.dumps({name: changed for name, changed in found.items() if changed}))
print(json.dumps(len(found)))
"""


def test_the_process_is_as_before(bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = support.python(PROGRAM, tmp_path, json.dumps([str(bert("h5")), str(bert("pt")), STAGES]))
    assert ran.code == 0, ran.err
    changed, count = map(json.loads, ran.out.splitlines()[-2:])
    assert changed == {}
    assert count == 3 * (1 + len(STAGES)) + 5
