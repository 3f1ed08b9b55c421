"""A failing case as a folder in the layout of ONNX's backend tests: ``model.onnx`` and ``test_data_set_0``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tfexport.parity.files import data_files
from tfexport.pipeline.publishing import publish, staged

DATA_SET = "test_data_set_0"


def write_repro(
    folder: Path,
    model: Path,
    inputs: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
) -> Path:
    """Write a failing case, for a runtime's or a converter's maintainers.

    Args:
        folder: to write: new, empty, or an earlier one.
        model: the ONNX file, which is copied with its data.
        inputs: by name.
        expected: the outputs of the reference, by name.
        about: what is known of the failure, for the manifest beside it.

    Returns:
        The folder.

    Raises:
        OutputExistsError: something is there.
        OutputError: it cannot be written.
    """
    with staged(folder) as stage:
        graph = onnx.load(str(model), load_external_data=False)
        shutil.copyfile(model, stage / "model.onnx")
        for data in data_files(graph):
            shutil.copyfile(model.parent / data, stage / data)
        (stage / DATA_SET).mkdir()
        for kind, values, arrays in (("input", graph.graph.input, inputs), ("output", graph.graph.output, expected)):
            named = [value.name for value in values if value.name in arrays]
            for number, name in enumerate(named):
                tensor = numpy_helper.from_array(arrays[name], name)
                (stage / DATA_SET / f"{kind}_{number}.pb").write_bytes(tensor.SerializeToString())
        publish(stage, folder, about)
    return folder
