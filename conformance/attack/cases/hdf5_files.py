"""HDF5: weights that lie elsewhere, sizes that no file holds, odd attributes, damage; in every file that is HDF5."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from conformance.attack.case import Area, Case
from conformance.attack.commands import Limits
from conformance.attack.documents import nested
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import SECRET, Sandbox

_SOON = Limits(seconds=60)
AREA = Area("hdf5")
_CHECKPOINT = "bert-tf"
_WHOLE = ("dense-tf-keras.h5", "dense-keras3.h5")
_ARCHIVES = ("dense-keras3.keras", "dense-tf-keras.keras")
_WEIGHTS = "model.weights.h5"
Change = Callable[[h5py.File, str, Sandbox], object]


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for seed in (_CHECKPOINT, *_WHOLE, *_ARCHIVES):
        for name, change in _DATASETS.items():
            yield AREA.change(f"{name}, in {seed}", _hdf5(change), seed=seed, limits=_SOON, quick=_is_quick(name, seed))
        for name, change in _ODD_DATASETS.items():
            yield AREA.change(f"{name}, in {seed}", _hdf5(change), seed=seed, expect=Expectation.SAFE, limits=_SOON)
        for number in range(4):
            yield AREA.change(
                f"forty other bytes, {number}, in {seed}",
                _bytes(_noise(number)),
                seed=seed,
                expect=Expectation.SAFE,
                limits=_SOON,
            )
        yield AREA.change(
            f"NaN among the weights, in {seed}", _hdf5(_nan), seed=seed, expect=Expectation.REJECTED, limits=_SOON
        )
        yield AREA.change(
            f"a group that is a link to another file, in {seed}",
            _hdf5(_external_group),
            seed=seed,
            expect=Expectation.REJECTED,
            limits=_SOON,
        )
    for seed in (_CHECKPOINT, *_WHOLE):
        for name, spoil in _DAMAGE.items():
            yield AREA.change(f"{name}, in {seed}", _bytes(spoil), seed=seed)
    for seed in _WHOLE:
        for name, value in _CONFIGS.items():
            yield AREA.change(
                f"model_config is {name}, in {seed}",
                lambda file, _, value=value: _attribute(file, "model_config", value),
                seed=seed,
                limits=_SOON,
                quick=name in ("empty", "the number 4 000 000 000"),
            )
        for attribute in ("keras_version", "backend"):
            for name, value in _CONFIGS.items():
                yield AREA.change(
                    f"{attribute} is {name}, in {seed}",
                    lambda file, _, attribute=attribute, value=value: _attribute(file, attribute, value),
                    seed=seed,
                    expect=Expectation.SAFE,
                    limits=_SOON,
                )
    for name, value in _CONFIGS.items():
        for attribute in ("weight_names", "layer_names"):
            yield AREA.change(
                f"{attribute} are {name}, in {_CHECKPOINT}",
                lambda model, _, attribute=attribute, value=value: _attributes(model / "tf_model.h5", attribute, value),
                seed=_CHECKPOINT,
                expect=Expectation.SAFE,
                limits=_SOON,
            )
    yield AREA.change("a weight in float16", _hdf5(_float16), seed=_CHECKPOINT, expect=Expectation.EXPORTED)
    yield AREA.change("weights compressed by gzip", _hdf5(_compressed), seed=_CHECKPOINT, expect=Expectation.EXPORTED)


def _is_quick(name: str, seed: str) -> bool:
    """Return whether a case is in the quick part: each cause in one file, and those that read other files in each."""
    return seed in (_CHECKPOINT, _WHOLE[0]) and name in _DATASETS


def _first(opened: h5py.File) -> str:
    """Return the name of the largest dataset."""
    found: dict[str, int] = {}
    opened.visititems(lambda name, item: found.update({name: item.size}) if isinstance(item, h5py.Dataset) else None)
    return max(found, key=lambda name: found[name])


def _hdf5(change: Change) -> Callable[[Path, Sandbox], None]:
    """Return what changes the HDF5 file that a seed is or holds."""

    def spoil(model: Path, sandbox: Sandbox) -> None:
        if model.suffix == ".keras":
            _in_archive(model, change, sandbox)
            return
        with h5py.File(model / "tf_model.h5" if model.is_dir() else model, "r+") as opened:
            change(opened, _first(opened), sandbox)

    return spoil


def _in_archive(archive: Path, change: Change, sandbox: Sandbox) -> None:
    with zipfile.ZipFile(archive) as opened:
        entries = {name: opened.read(name) for name in opened.namelist()}
    weights = io.BytesIO(entries[_WEIGHTS])
    with h5py.File(weights, "r+") as file:
        change(file, _first(file), sandbox)
    entries[_WEIGHTS] = weights.getvalue()
    with zipfile.ZipFile(archive, "w") as written:
        for name, content in entries.items():
            written.writestr(name, content)


def _bytes(spoil: Callable[[bytes], bytes]) -> Callable[[Path, Sandbox], None]:
    def change(model: Path, sandbox: Sandbox) -> None:
        if model.suffix == ".keras":
            with zipfile.ZipFile(model) as opened:
                entries = {name: opened.read(name) for name in opened.namelist()}
            entries[_WEIGHTS] = spoil(entries[_WEIGHTS])
            with zipfile.ZipFile(model, "w") as written:
                for name, content in entries.items():
                    written.writestr(name, content)
            return
        file = model / "tf_model.h5" if model.is_dir() else model
        file.write_bytes(spoil(file.read_bytes()))

    return change


def _other(sandbox: Sandbox, like: np.ndarray) -> Path:
    """Write another HDF5 file with a secret of the form of a weight."""
    file = sandbox.folder / "other.h5"
    with h5py.File(file, "w") as opened:
        content = SECRET.encode() * (like.nbytes // len(SECRET) + 1)
        opened["secret"] = np.frombuffer(content[: like.nbytes], np.float32).reshape(like.shape)
    return file


def _external_storage(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    shape = opened[name].shape
    secret = sandbox.secret(int(np.prod(shape)) * 4)
    del opened[name]
    opened.create_dataset(name, shape, "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def _external_link(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    other = _other(sandbox, opened[name][()])
    del opened[name]
    opened[name] = h5py.ExternalLink(str(other), "secret")


def _external_group(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    """Replace the group around a weight by a link to a group of another file."""
    group = name.rpartition("/")[0]
    other = sandbox.folder / "other.h5"
    with h5py.File(other, "w") as written:
        opened.copy(opened[group], written, "group")
        for each in written["group"].values():
            if isinstance(each, h5py.Dataset):
                each[...] = 4711
    del opened[group]
    opened[group] = h5py.ExternalLink(str(other), "group")


def _virtual(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    array = opened[name][()]
    other = _other(sandbox, array)
    del opened[name]
    layout = h5py.VirtualLayout(array.shape, "f4")
    layout[:] = h5py.VirtualSource(str(other), "secret", array.shape)
    opened.create_virtual_dataset(name, layout)


def _soft_loop(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    del opened[name]
    opened[name] = h5py.SoftLink(f"/{name}")


def _hard_loop(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    """Replace a weight by a hard link to the top: a walk by names never ends."""
    del opened[name]
    opened[name] = opened["/"]


def _bomb(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    del opened[name]
    opened.create_dataset(name, (2**33,), "f4", chunks=(2**20,), compression="gzip", fillvalue=0)


def _huge(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    del opened[name]
    opened.create_dataset(name, (2**50,), "f4", chunks=(2**20,))


def _nan(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    opened[name][...] = np.nan


_DATASETS: dict[str, Change] = {
    "a weight in another file (external storage)": _external_storage,
    "a weight that is a link to another file": _external_link,
    "a weight that is a virtual dataset": _virtual,
    "a weight that links to itself": _soft_loop,
    "a weight that is the top of the file": _hard_loop,
    "a weight of 32 GiB that takes no room": _bomb,
    "a weight of 2^50 elements": _huge,
}


def _float16(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    array = opened[name][()].astype(np.float16)
    del opened[name]
    opened[name] = array


def _compressed(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    array = opened[name][()]
    del opened[name]
    opened.create_dataset(name, data=array, compression="gzip", chunks=True)


def _texts(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    shape = opened[name].shape
    del opened[name]
    opened.create_dataset(name, shape, h5py.string_dtype())


def _compound(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    shape = opened[name].shape
    del opened[name]
    opened.create_dataset(name, shape, np.dtype([("a", "f4"), ("b", "i8")]))


def _references(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    shape = opened[name].shape
    del opened[name]
    opened.create_dataset(name, shape, h5py.ref_dtype)


def _empty(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    del opened[name]
    opened[name] = h5py.Empty("f4")


def _scalar(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    del opened[name]
    opened[name] = 1.0


def _group(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    del opened[name]
    opened.create_group(name)


def _missing(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    del opened[name]


def _no_attributes(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    for group in (opened, *(item for item in opened.values() if isinstance(item, h5py.Group))):
        for attribute in ("weight_names", "layer_names"):
            if attribute in group.attrs:
                del group.attrs[attribute]


def _many(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    for number in range(20_000):
        opened.create_group(f"group{number}")


def _deep(opened: h5py.File, name: str, sandbox: Sandbox) -> None:
    opened.create_group("/".join("g" for _ in range(3000)))


_ODD_DATASETS: dict[str, Change] = {
    "a weight of texts": _texts,
    "a weight of records": _compound,
    "a weight of references": _references,
    "a weight without a value": _empty,
    "a weight that is a number": _scalar,
    "a weight that is a group": _group,
    "a weight that is missing": _missing,
    "no lists of names": _no_attributes,
    "20 000 groups": _many,
    "3000 groups in each other": _deep,
}


def _noise(seed: int) -> Callable[[bytes], bytes]:
    def spoil(content: bytes) -> bytes:
        random = np.random.default_rng(seed)
        made = bytearray(content)
        for place in random.integers(8, min(6000, len(made)), 40):
            made[place] = int(random.integers(0, 256))
        return bytes(made)

    return spoil


_DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a file of no bytes": lambda content: b"",
    "a file that is cut in half": lambda content: content[: len(content) // 2],
    "a file that is cut in its header": lambda content: content[:40],
    "only a signature": lambda content: b"\x89HDF\r\n\x1a\n",
    "a signature and noise": lambda content: content[:8] + np.random.default_rng(1).bytes(20_000),
    "a signature and zeros": lambda content: content[:8] + bytes(20_000),
}
_CONFIGS: dict[str, Any] = {
    "empty": h5py.Empty("S1"),
    "the number 4 000 000 000": np.int64(4_000_000_000),
    "a negative number": np.int64(-1),
    "an array of numbers": np.arange(5),
    "bytes that are not UTF-8": np.bytes_(b"\xff\xfe\xfd"),
    "no bytes": np.bytes_(b""),
    "not JSON": "{",
    "nested deeply": nested(15_000),
    "a list": "[1]",
    "null": "null",
    "a number as text": "5",
    "an array of texts": np.array([b"a", b"b"]),
}


def _attribute(file: Path, name: str, value: Any) -> None:
    with h5py.File(file, "r+") as opened:
        _set(opened, name, value)


def _attributes(file: Path, name: str, value: Any) -> None:
    """Set an attribute everywhere where there is one of this name."""
    with h5py.File(file, "r+") as opened:
        for group in (opened, *(item for item in opened.values() if isinstance(item, h5py.Group))):
            if name in group.attrs:
                _set(group, name, value)


def _set(group: h5py.Group, name: str, value: Any) -> None:
    if name in group.attrs:
        del group.attrs[name]
    group.attrs[name] = value


def configuration(file: Path) -> dict[str, Any]:
    """Return the configuration of a whole model in HDF5."""
    with h5py.File(file) as opened:
        found: dict[str, Any] = json.loads(opened.attrs["model_config"])
    return found
