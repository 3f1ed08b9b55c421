"""What reads the files of others, as functions of the folder that holds the file. Each raises nothing but `TfExportError`."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from tfexport.errors import TfExportError


def checkpoint(folder: Path) -> None:
    """Plan an export: nothing is loaded."""
    from tfexport.pipeline.options import export_options
    from tfexport.pipeline.plan import make_plan

    for feature in ("default", "auto"):
        with suppress(TfExportError):
            make_plan(str(folder), export_options(feature=feature))


def _in_this_process() -> AbstractContextManager[Any]:
    """Let this process be the child in which HDF5 files and archives are looked at."""
    from tfexport.checkpoints import inspection

    return mock.patch.object(inspection, "_in_a_child", lambda look, files: [look(file) for file in files])


def keras_file(folder: Path) -> None:
    """Check a Keras file before it is loaded."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras
    import tf_keras

    from tfexport.backends.keras.files import checked

    (file,) = folder.glob("model.*")
    with _in_this_process():
        for trust in (True, False):
            with suppress(TfExportError):
                checked(file, [keras, tf_keras], trust, file.name)
        checked(file, [keras, tf_keras], False, file.name)


def hdf5_weights(folder: Path) -> None:
    """Look at the weights of a checkpoint, and plan its export."""
    from tfexport.checkpoints.inspection import inspect_hdf5

    with _in_this_process(), suppress(TfExportError):
        inspect_hdf5(folder / "tf_model.h5")
    checkpoint(folder)


def manifest(folder: Path) -> None:
    """Read the manifest of an export."""
    from tfexport.pipeline.manifest import contracts_of
    from tfexport.pipeline.publishing import read_manifest

    document = read_manifest(folder)
    if document:
        contracts_of(document)


def measured_export(folder: Path) -> None:
    """Open an export for the benchmark."""
    from tfexport.benchmark.targets import Request, open_target

    open_target(Request(str(folder)), folder / "exported", lambda text: None)


def results(folder: Path) -> None:
    """Read results, compare them with sound ones, and render them."""
    from tfexport.benchmark import read
    from tfexport.benchmark.comparison import compare
    from tfexport.benchmark.report import all_measured, summary

    new, old = read(folder / "results.json"), read(folder / "sound.json")
    for first, second in ((old, new), (new, old)):
        with suppress(TfExportError):
            found = compare(first, second, 0.03)
            found.lines()
            found.as_dict()
    all_measured(new)
    summary(new)


def suite(folder: Path) -> None:
    """Read a suite, and what its options are over others."""
    from tfexport.benchmark import Options, read_suite

    found = read_suite(folder / "suite.toml")
    for _, own in found.targets:
        own.over(found.options).over(Options())


def onnx_file(folder: Path) -> None:
    """Read an ONNX file, check its structure, draw inputs for it, and open it in ONNX Runtime."""
    from tfexport.benchmark import graph_facts
    from tfexport.validation.structure import check_structure

    with suppress(TfExportError):
        check_structure(folder / "model.onnx")
    with suppress(TfExportError):
        model = graph_facts.read(folder / "model.onnx")
        graph_facts.facts(model)
        graph_facts.random_inputs(model, 2, 8, {})
    measured_export(folder)


READERS: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (checkpoint, keras_file, hdf5_weights, manifest, measured_export, results, suite, onnx_file)
}


def read(reader: str, folder: Path) -> None:
    """Read a folder; an error of tfexport's own is an answer."""
    with suppress(TfExportError):
        READERS[reader](folder)
