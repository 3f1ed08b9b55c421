"""Files and manifests of others: what is read of them, and how long they may compute."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests import hostile_onnx
from tfexport.errors import CorruptCheckpointError, InputsError, ProcessError
from tfexport.parity import exported_directory
from tfexport.parity.exchange import Exchange
from tfexport.parity.files import ExportedFiles, data_files, run_files
from tfexport.parity.process_limits import ProcessLimits
from tfexport.parity.run_result import RunResult
from tfexport.processes.isolation import LONGEST_S, call_isolated

Asked = dict[str, Any]


def _recorder() -> tuple[list[Asked], Callable[..., None]]:
    asked: list[Asked] = []
    return asked, lambda *_, **limits: asked.append(limits)


def test_limits_grow_with_the_source_and_the_files(tmp_path: Path) -> None:
    file, asked = tmp_path / "m.onnx", _recorder()
    file.write_bytes(bytes(2**20))
    os.truncate(file, 2**40)  # a hole takes no time
    for source, limits in (
        (RunResult(seconds=1.0, grown_mib=100.0), ProcessLimits()),
        (RunResult(seconds=100.0, grown_mib=100.0), ProcessLimits()),
        (RunResult(seconds=100.0), ProcessLimits(5.0)),
    ):
        limits.on_files(asked[1], [file], source, on_cpu=True)()
    assert [round(each["timeout_s"]) for each in asked[0]] == [60, 1000, 5]
    assert asked[0][0]["memory_mib"] == pytest.approx(1024 + 300 + 4, abs=1)
    ProcessLimits().on_files(asked[1], [file], RunResult(), on_cpu=False)()
    assert asked[0][-1]["memory_mib"] is None
    ProcessLimits().on_frameworks(asked[1])()
    ProcessLimits(5.0).on_frameworks(asked[1])()
    assert [each["timeout_s"] for each in asked[0][-2:]] == [LONGEST_S, 5.0]


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", True, [], b"5"])
def test_a_limit_that_is_not_a_time(value: Any) -> None:
    with pytest.raises(InputsError, match="the time limit is .*; expected seconds"):
        ProcessLimits.of(value)


def test_a_loop_without_an_end(tmp_path: Path) -> None:
    file = hostile_onnx.write(hostile_onnx.endless(), tmp_path / "m.onnx")
    _cases(tmp_path)
    begin = time.monotonic()
    with pytest.raises(ProcessError, match="did not answer within 8 s, and was ended"):
        call_isolated(run_files, ExportedFiles({"model": file}), "cpu", tmp_path, "onnx", {"model": [0]}, timeout_s=8.0)
    assert time.monotonic() - begin < 60


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
@pytest.mark.parametrize("length", [2**30, 2**40])
def test_a_tensor_that_takes_all_memory(length: int, tmp_path: Path) -> None:
    file = hostile_onnx.write(hostile_onnx.huge(length), tmp_path / "m.onnx")
    _cases(tmp_path)
    result = call_isolated(
        run_files, ExportedFiles({"model": file}), "cpu", tmp_path, "onnx", {"model": [0]}, memory_mib=1024
    )
    assert "ONNX Runtime fails" in result.problems["model"][0]
    assert result.peak_rss_mib < 1500


def _cases(folder: Path) -> None:
    inputs = {"x": np.ones((2, 4), np.float32)}
    Exchange(folder).save_inputs("model", 0, inputs, inputs)


@pytest.mark.parametrize("location", ["../x", "/etc/passwd", "a/b", "..", ""])
def test_data_that_is_not_beside_its_model(location: str) -> None:
    with pytest.raises(CorruptCheckpointError, match="expected a file beside it"):
        data_files(hostile_onnx.outside(location))
    assert data_files(hostile_onnx.outside("m.onnx_data")) == {"m.onnx_data"}
    assert data_files(onnx.ModelProto()) == set()


def _changed(folder: Path, files: dict[str, Any]) -> list[str]:
    return list(exported_directory._changed(folder, {"files": files}))


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "link", "a\0b", ""])
def test_a_manifest_that_names_a_file_outside(name: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "out" / "link").symlink_to("../secret")
    listed = {"bytes": 6, "sha256": "0" * 64}
    with pytest.raises(CorruptCheckpointError, match="names a file that is not read"):
        _changed(tmp_path / "out", {name: listed})
    manifest = {"source": {"sha256": {name: "0" * 64}}}
    with pytest.raises(CorruptCheckpointError, match="names a file that is not read"):
        list(exported_directory._changed_source(str(tmp_path / "out"), manifest))


def test_sizes_come_before_checksums(tmp_path: Path) -> None:
    """A file of 1 TiB would be read for an hour."""
    (tmp_path / "big").touch()
    os.truncate(tmp_path / "big", 2**40)
    os.mkfifo(tmp_path / "fifo")
    begin = time.monotonic()
    assert _changed(tmp_path, {"big": {"bytes": 5, "sha256": "0" * 64}}) == [
        f"big has {2**40} bytes; the manifest says 5"
    ]
    with pytest.raises(CorruptCheckpointError, match="the others are holes"):
        _changed(tmp_path, {"big": {"bytes": 2**40, "sha256": "0" * 64}})
    with pytest.raises(CorruptCheckpointError, match="the others are holes"):
        list(exported_directory._changed_source(str(tmp_path), {"source": {"sha256": {"big": "0" * 64}}}))
    assert _changed(tmp_path, {"fifo": {"bytes": 5, "sha256": "0" * 64}}) == ["fifo is missing; the manifest lists it"]
    assert not list(exported_directory._changed_source(str(tmp_path), {"source": {"sha256": {"fifo": "0" * 64}}}))
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    "options", [{"tag": 5}, {"input_shapes": 5}, {"input_shapes": {"x": [-5]}}, {"axis_names": [[]]}]
)
def test_options_of_a_manifest_that_are_not_options(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CorruptCheckpointError, match="has options of the model that are not valid"):
        exported_directory._options({"source": {"options": options}}, False)


def test_a_manifest_never_grants_trust() -> None:
    granted = {"source": {"options": json.loads('{"trust": true, "trust_remote_code": true}')}}
    assert exported_directory._options(granted, False).trust is False
