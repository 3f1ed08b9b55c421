"""Write a failing case in the layout of ONNX's backend tests: ``model.onnx`` and ``test_data_set_0``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tfexport.parity.files import data_files
from tfexport.pipeline.publishing import publish
from tfexport.pipeline.staging import staged

DATA_SET = "test_data_set_0"


def write_repro(
    folder: Path,
    model: Path,
    inputs: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
) -> Path:
    """Write a failing case, for the maintainers of a runtime or a converter.

    Args:
        folder: Folder to write: new, empty, or an earlier failing case.
        model: ONNX file, which is copied with its data.
        inputs: Inputs by name.
        expected: Outputs of the reference by name.
        about: Facts about the failure, for the manifest in the folder.

    Returns:
        The folder.

    Raises:
        OutputExistsError: The folder holds other files.
        OutputError: The folder cannot be written.
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
