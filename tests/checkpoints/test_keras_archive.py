"""Keras archives that are damaged, encrypted, or made to fill the memory or to write elsewhere: refused in bounds."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tfexport.checkpoints import keras_archive
from tfexport.checkpoints.inspection import inspect_archive
from tfexport.checkpoints.keras_archive import ArchiveContent, read_archive
from tfexport.errors import CorruptCheckpointError
from tfexport.processes.memory import peak_rss_mib

h5py = pytest.importorskip("h5py", reason="HDF5 comes with TensorFlow and Keras")

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def _weights() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as opened:
        opened["layers/dense/vars/0"] = np.zeros((8, 6), np.float32)
    return buffer.getvalue()


def _parts() -> dict[str, bytes]:
    return {"metadata.json": b"{}", CONFIG: b'{"class_name": "Sequential"}', WEIGHTS: _weights()}


def _pack(file: Path, parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _numpy(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _of_numpy(content: bytes) -> dict[str, bytes]:
    return {**{name: part for name, part in _parts().items() if name != WEIGHTS}, "model.weights.npz": content}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_an_archive_holds(method: int, tmp_path: Path) -> None:
    _pack(tmp_path / "model.keras", _parts(), method)
    assert read_archive(tmp_path / "model.keras") == ArchiveContent(48, 1, '{"class_name": "Sequential"}')
    _pack(tmp_path / "model.keras", _of_numpy(_numpy(a=np.zeros(5), b=np.zeros((2, 2)))), method)
    assert read_archive(tmp_path / "model.keras").values == 9


def _damaged(method: int) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        _pack(file, _parts(), method)
        content = bytearray(file.read_bytes())
        start = content.find(CONFIG.encode()) + len(CONFIG)
        for place in range(start, start + 20):
            content[place] ^= 0x5A
        file.write_bytes(content)

    return spoil


def _header(place: int, value: bytes) -> Callable[[Path], None]:
    """Change bytes of all headers: `place` is that of the central ones, those of the members are two before."""

    def spoil(file: Path) -> None:
        _pack(file, _parts())
        content = bytearray(file.read_bytes())
        for magic, offset in ((_CENTRAL, place), (_LOCAL, place - 2)):
            found = content.find(magic)
            while found >= 0:
                content[found + offset : found + offset + len(value)] = value
                found = content.find(magic, found + 4)
        file.write_bytes(content)

    return spoil


def _twice(file: Path) -> None:
    _pack(file, _parts())
    with warnings.catch_warnings(), zipfile.ZipFile(file, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(CONFIG, b"{}")


def _member(name: str) -> Callable[[Path], None]:
    return lambda file: _pack(file, {**_parts(), name: b"x"})


def _without(name: str) -> Callable[[Path], None]:
    return lambda file: _pack(file, {key: part for key, part in _parts().items() if key != name})


def _huge_array(file: Path) -> None:
    """A header of NumPy that declares a terabyte."""
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": (2**38,)})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a.npy", array.getvalue())
    _pack(file, _of_numpy(archive.getvalue()))


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "deflate": (_damaged(zipfile.ZIP_DEFLATED), "is not a readable Keras archive"),
    "bzip2": (_damaged(zipfile.ZIP_BZIP2), "is not a readable Keras archive"),
    "lzma": (_damaged(zipfile.ZIP_LZMA), "is not a readable Keras archive"),
    "encrypted": (_header(8, b"\x01\x00"), "is encrypted"),
    "strongly encrypted": (_header(8, b"\x40\x00"), "is not a readable Keras archive"),
    "unknown method": (_header(10, struct.pack("<H", 77)), "is not a readable Keras archive"),
    "two configurations": (_twice, "two of its members have one name"),
    "out of the folder": (_member("../../evil"), "../../evil reaches out of it"),
    "out of the assets": (_member("assets/../../evil"), "reaches out of it"),
    "absolute": (_member("/etc/evil"), "reaches out of it"),
    "backslash": (_member("..\\evil"), "reaches out of it"),
    "no configuration": (_without(CONFIG), "does not hold 'config.json'"),
    "no weights": (_without(WEIGHTS), "Expected a model.weights.h5"),
    "configuration that is not UTF-8": (lambda file: _pack(file, {**_parts(), CONFIG: b"\xff\xfe"}), "utf-8"),
    "weights that are not HDF5": (lambda file: _pack(file, {**_parts(), WEIGHTS: b"x"}), "is not a readable HDF5 file"),
    "pickle in NumPy's": (
        lambda file: _pack(file, _of_numpy(_numpy(a=np.array([print], dtype=object)))),
        "declares more values than it holds",
    ),
    "array that is not there": (_huge_array, "declares more values than it holds"),
    "first bytes": (lambda file: file.write_bytes(_LOCAL), "is not a readable Keras archive"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused(name: str, tmp_path: Path) -> None:
    spoil, message = HOSTILE[name]
    spoil(tmp_path / "model.keras")
    with pytest.raises(CorruptCheckpointError) as caught:
        read_archive(tmp_path / "model.keras")
    assert message in str(caught.value)
    assert "Fetch" in str(caught.value)


def _bomb(file: Path, mib: int) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(CONFIG, "w", force_zip64=True) as member:
            for _ in range(mib):
                member.write(bytes(2**20))
        archive.writestr(WEIGHTS, _weights())


def test_a_configuration_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    _bomb(tmp_path / "model.keras", 600)
    before = peak_rss_mib()
    with pytest.raises(CorruptCheckpointError, match=r"unpacks to 629,1.* bytes, and has"):
        read_archive(tmp_path / "model.keras")
    assert peak_rss_mib() - before < 100


def test_a_header_that_says_less(tmp_path: Path) -> None:
    """zipfile believes it, and stops there or finds another checksum."""
    file = tmp_path / "model.keras"
    _bomb(file, 80)
    content = bytearray(file.read_bytes())
    central = content.find(_CENTRAL)
    content[central + 24 : central + 28] = struct.pack("<I", 1000)
    file.write_bytes(content)
    with pytest.raises(CorruptCheckpointError):
        read_archive(file)


def test_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_archive, "MOST_MEMBERS", 2)
    _pack(tmp_path / "model.keras", _parts())
    with pytest.raises(CorruptCheckpointError, match="has 3 members, and at most 2 are expected"):
        read_archive(tmp_path / "model.keras")


def test_the_child_says_the_same(tmp_path: Path) -> None:
    _pack(tmp_path / "model.keras", _parts())
    assert inspect_archive(tmp_path / "model.keras") == read_archive(tmp_path / "model.keras")
    _without(WEIGHTS)(tmp_path / "model.keras")
    with pytest.raises(CorruptCheckpointError, match="Expected a model.weights.h5"):
        inspect_archive(tmp_path / "model.keras")


@pytest.mark.parametrize("seed", range(60))
def test_damage_is_one_typed_error(seed: int, tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    _pack(file, _parts(), (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[seed % 2])
    content = bytearray(file.read_bytes())
    random = np.random.default_rng(seed)
    for place in random.integers(4, len(content), 12):
        content[place] = int(random.integers(0, 256))
    file.write_bytes(content)
    with suppress(CorruptCheckpointError):
        assert read_archive(file).values < 10_000
