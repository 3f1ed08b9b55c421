"""HDF5 files that refer to other files, declare more than they hold, or are damaged: refused before a framework opens them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfexport.checkpoints import hdf5
from tfexport.checkpoints.hdf5 import Hdf5Content, walk
from tfexport.checkpoints.inspection import LIMITS, inspect_hdf5
from tfexport.errors import CorruptCheckpointError
from tfexport.processes.worker import Limits

h5py = pytest.importorskip("h5py", reason="HDF5 comes with TensorFlow and Keras")

WEIGHT = "layers/dense/vars/0"
ARRAY = np.arange(48, dtype=np.float32).reshape(8, 6)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as opened:
        opened[WEIGHT] = ARRAY
        opened["layers/dense/vars/1"] = np.zeros(6, np.float32)
        opened["layers"].attrs["layer_names"] = [b"dense"]
        opened.attrs["model_config"] = "{}"
    return path


def _walk(file: Path) -> Hdf5Content:
    return walk(str(file), file.stat().st_size, file.name)


def test_what_a_file_holds(file: Path) -> None:
    assert _walk(file) == Hdf5Content(54, 2, "{}")
    assert inspect_hdf5(file, file) == [_walk(file)] * 2


def _other(opened: Any) -> Path:
    """Return a file of the victim's, beside the one that is walked."""
    path = Path(opened.filename).with_name("secret.h5")
    with h5py.File(path, "w") as other:
        other["secret"] = ARRAY
    return path


def _external_storage(opened: Any) -> None:
    del opened[WEIGHT]
    opened.create_dataset(WEIGHT, ARRAY.shape, "f4", external=[(str(_other(opened)), 0, h5py.h5f.UNLIMITED)])


def _external_link(opened: Any) -> None:
    del opened[WEIGHT]
    opened[WEIGHT] = h5py.ExternalLink(str(_other(opened)), "secret")


def _dangling_external_link(opened: Any) -> None:
    opened["layers/more"] = h5py.ExternalLink("/nonexistent.h5", "secret")


def _virtual(opened: Any) -> None:
    del opened[WEIGHT]
    layout = h5py.VirtualLayout(ARRAY.shape, "f4")
    layout[:] = h5py.VirtualSource(str(_other(opened)), "secret", ARRAY.shape)
    opened.create_virtual_dataset(WEIGHT, layout)


def _soft_link(opened: Any) -> None:
    opened["layers/alias"] = h5py.SoftLink(f"/{WEIGHT}")


def _soft_loop(opened: Any) -> None:
    opened["layers/loop"] = h5py.SoftLink("/layers/loop")


def _bomb(opened: Any) -> None:
    opened.create_dataset("bomb", (2**33,), "f4", chunks=(2**20,), compression="gzip")


def _packed_bomb(opened: Any) -> None:
    opened.create_dataset("bomb", data=np.zeros(2**27, np.float32), chunks=(2**20,), compression="gzip")


def _never_written(opened: Any) -> None:
    opened.create_dataset("empty", (2**20,), "f4")


def _references(opened: Any) -> None:
    opened["reference"] = np.array([opened[WEIGHT].ref], dtype=h5py.ref_dtype)


def _named_type(opened: Any) -> None:
    opened["type"] = np.dtype("f8")


def _deep(opened: Any) -> None:
    opened.create_group("/".join("g" * (hdf5.DEEPEST + 2)))


def _config(value: Any) -> Callable[[Any], None]:
    def change(opened: Any) -> None:
        del opened.attrs["model_config"]
        opened.attrs["model_config"] = value

    return change


HOSTILE: dict[str, tuple[Callable[[Any], None], str]] = {
    "external storage": (_external_storage, "stored in another file"),
    "external link": (_external_link, "is a link (ExternalLink)"),
    "external link to nothing": (_dangling_external_link, "is a link (ExternalLink)"),
    "virtual dataset": (_virtual, "is a view of other files"),
    "soft link": (_soft_link, "is a link (SoftLink)"),
    "soft link to itself": (_soft_loop, "is a link (SoftLink)"),
    "more than it holds": (_bomb, "declare more than"),
    "more than it should unpack to": (_packed_bomb, "declare more than"),
    "never written": (_never_written, "declares 4,194,304 bytes, and 0 are stored"),
    "references": (_references, "holds references"),
    "named type": (_named_type, "is a datatype"),
    "deep": (_deep, "levels of groups"),
    "configuration that is a number": (_config(4_000_000_000), "model_config is a int64"),
    "configuration that is empty": (_config(h5py.Empty("f")), "model_config is a Empty"),
    "configuration that is a list": (_config(["a", "b"]), "model_config is a ndarray"),
    "configuration that is not UTF-8": (_config(np.bytes_(b"\xff\xfe")), "not a text in UTF-8"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused(name: str, file: Path) -> None:
    change, message = HOSTILE[name]
    with h5py.File(file, "r+") as opened:
        change(opened)
    with pytest.raises(CorruptCheckpointError) as caught:
        _walk(file)
    assert message in str(caught.value)


def test_a_group_in_itself_ends(file: Path) -> None:
    with h5py.File(file, "r+") as opened:
        opened["layers/loop"] = opened["/"]  # a hard link
    assert _walk(file).values == 54


def test_many_objects(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "MOST_OBJECTS", 4)
    with pytest.raises(CorruptCheckpointError, match="more than 4 objects"):
        _walk(file)


def test_sound_forms_of_data(file: Path) -> None:
    with h5py.File(file, "r+") as opened:
        opened.create_dataset("packed", data=np.zeros((512, 512), np.float32), compression="gzip", shuffle=True)
        opened.create_dataset("chunked", data=np.ones((513, 3)), chunks=(100, 2))
        opened.create_dataset("half", data=np.zeros((3,), np.dtype("V2")))  # Keras's bfloat16
        opened["words"] = np.array(["a", "b"], dtype=h5py.string_dtype())
        opened["nothing"] = np.zeros((0, 4), np.float32)
        opened["scalar"] = np.int64(3)
    assert _walk(file).arrays == 8


@pytest.mark.parametrize("seed", range(60))
def test_damage_is_one_typed_error(seed: int, file: Path) -> None:
    """Or the file is read as it is. What ends the process, or asks for memory, ends the child of `inspect_hdf5`."""
    content = bytearray(file.read_bytes())
    random = np.random.default_rng(seed)
    for place in random.integers(8, 2000, 3):
        content[place] = int(random.integers(0, 256))
    file.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hdf5, "LARGEST_ATTRIBUTE", 2**20)
        with suppress(CorruptCheckpointError):
            assert _walk(file).values < 10_000


def test_what_a_child_does_not_survive(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfexport.checkpoints.inspection._hdf5", _dies)
    with pytest.raises(CorruptCheckpointError, match="cannot be read .its process died, exit code 3.: it is damaged"):
        inspect_hdf5(file)
    monkeypatch.setattr("tfexport.checkpoints.inspection.CPU_SECONDS", 0)
    monkeypatch.setattr("tfexport.checkpoints.inspection._hdf5", _searches)
    with pytest.raises(CorruptCheckpointError, match="was killed by SIG(XCPU|KILL)"):
        inspect_hdf5(file)
    monkeypatch.setattr("tfexport.checkpoints.inspection._hdf5", _sleeps)
    monkeypatch.setattr("tfexport.checkpoints.inspection.LIMITS", Limits(LIMITS.memory_mib, 0.2, LIMITS.start_seconds))
    with pytest.raises(CorruptCheckpointError, match="did not answer within"):
        inspect_hdf5(file)


def _dies(file: Path) -> Any:
    import os

    os._exit(3)


def _searches(file: Path) -> Any:
    while True:
        pass


def _sleeps(file: Path) -> Any:
    import time

    time.sleep(60)


@pytest.mark.parametrize("interpreter", ["", "/absent/python"])
def test_where_no_child_can_be_started(interpreter: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that embeds Python, or one whose interpreter this user may not run: the file is looked at all the same."""
    monkeypatch.setattr(sys, "executable", interpreter)
    assert inspect_hdf5(file)[0].arrays > 0
    with h5py.File(file, "a") as opened:
        _external_link(opened)
    with pytest.raises(CorruptCheckpointError, match="a link"):
        inspect_hdf5(file)


def test_a_fifo_is_not_opened(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "model.h5")
    with pytest.raises(CorruptCheckpointError, match="it is a FIFO"):
        inspect_hdf5(tmp_path / "model.h5")
