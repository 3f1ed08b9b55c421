"""The structure of an HDF5 file, walked before a framework opens it: it holds all its data itself, and no more than fits into it.

HDF5 files can refer to other files (external links, external storage, virtual datasets), and a few bytes can declare datasets
of any size. Frameworks follow both. Damage can also make the HDF5 library allocate gigabytes, or crash: so files are walked in a
child process with limits, see `tfexport.checkpoints.inspection`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import IO, TYPE_CHECKING, Any

from tfexport.errors import CorruptCheckpointError

if TYPE_CHECKING:
    import h5py

MOST_OBJECTS = 100_000
"""Groups and datasets of a file. The largest models that we know have some ten thousand."""
DEEPEST = 64
"""Levels of groups. The deepest that we know, a model in a model in KerasHub, has 20."""
LARGEST_ATTRIBUTE = 64 * 2**20
"""Bytes of one attribute: the configuration of a model is one."""
LARGEST_EXPANSION = 100
"""Bytes of all data per byte of the file. Weights hardly compress; those that are all zero do, and are small."""
ALWAYS_ALLOWED = 256 * 2**20
"""Bytes of all data that a file of any size may have."""
_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
"""Filters that come with the library and with h5py: gzip, shuffle, Fletcher's checksum, szip, n-bit, scale-offset, lzf."""


@dataclass(frozen=True)
class Hdf5Content:
    """What a file holds.

    Attributes:
        values: Number of values in all datasets.
        arrays: Number of datasets.
        model_config: Attribute ``model_config`` of the file, in which Keras keeps the configuration of a model; None where it is
            missing.
    """

    values: int
    arrays: int
    model_config: str | None


def walk(source: str | IO[bytes], size: int, name: str) -> Hdf5Content:
    """Walk an HDF5 file.

    Args:
        source: Path, or an open file.
        size: Number of bytes of the file.
        name: Name of the file for messages.

    Returns:
        What it holds.

    Raises:
        CorruptCheckpointError: The file is damaged, refers to another file, declares more data than fits into it, or its
            ``model_config`` is not a text.
    """
    import h5py  # comes with Keras and TensorFlow

    try:
        with h5py.File(source, "r") as opened:
            values, arrays = _walk(opened, size, name)
            return Hdf5Content(values, arrays, _model_config(opened, name))
    except CorruptCheckpointError:
        raise
    except Exception as error:  # of damage the library and h5py raise whatever their code happens to meet
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CorruptCheckpointError(
            f"{name} is not a readable HDF5 file ({reason}): it is truncated or damaged. Fetch or save it again."
        ) from error


def _walk(opened: h5py.File, size: int, name: str) -> tuple[int, int]:
    """Return the number of values in all datasets, and of datasets."""
    import h5py

    values, arrays, total = 0, 0, 0
    for place, item in _objects(opened, name):
        _check_attributes(item, place, name)
        if isinstance(item, h5py.Group):
            continue
        if not isinstance(item, h5py.Dataset):
            raise _refused(name, f"{place} is a {type(item).__name__.lower()}, and groups and datasets are expected")
        values += prod(item.shape or ())
        arrays += 1
        total += _checked_bytes(item, place, size, name)
        if total > max(ALWAYS_ALLOWED, LARGEST_EXPANSION * size):
            raise _refused(name, f"its datasets declare more than {total:,} bytes in a file of {size:,}")
    return values, arrays


def _objects(opened: h5py.File, name: str) -> Iterator[tuple[str, Any]]:
    """Yield each group and dataset once, with its path."""
    import h5py

    seen = set()
    waiting: list[tuple[str, Any, int]] = [("/", opened, 0)]
    while waiting:
        path, item, depth = waiting.pop()
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            continue
        seen.add(address)
        if len(seen) > MOST_OBJECTS or depth > DEEPEST:
            raise _refused(name, f"it has more than {MOST_OBJECTS:,} objects, or more than {DEEPEST} levels of groups")
        yield path, item
        if isinstance(item, h5py.Group):
            for key in item:
                below = f"{path.rstrip('/')}/{key}"
                link = item.get(key, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise _refused(name, f"{below} is a link ({type(link).__name__}), and could lead to another file")
                waiting.append((below, item[key], depth + 1))


def _checked_bytes(dataset: h5py.Dataset, place: str, size: int, name: str) -> int:
    """Return the number of bytes of a dataset's values in memory."""
    if dataset.external:
        raise _refused(name, f"{place} is stored in another file (external storage)")
    if dataset.is_virtual:
        raise _refused(name, f"{place} is a view of other files (a virtual dataset)")
    layout = dataset.id.get_create_plist()
    filters = {layout.get_filter(index)[0] for index in range(layout.get_nfilters())}
    if not filters <= _FILTERS:
        raise _refused(name, f"{place} needs a filter that does not come with the library ({max(filters - _FILTERS)})")
    if dataset.dtype.hasobject and not _is_text(dataset.dtype):
        raise _refused(name, f"{place} holds references, and numbers or texts are expected")
    logical = int(prod(dataset.shape or ()) * dataset.dtype.itemsize)
    stored = int(dataset.id.get_storage_size())
    if not filters and logical > stored:
        raise _refused(name, f"{place} declares {logical:,} bytes, and {stored:,} are stored")
    if stored > size:
        raise _refused(name, f"{place} declares {stored:,} stored bytes in a file of {size:,}")
    return logical


def _check_attributes(item: Any, place: str, name: str) -> None:
    for key in item.attrs:
        attribute = item.attrs.get_id(key)
        if attribute.dtype.hasobject and not _is_text(attribute.dtype):
            raise _refused(name, f"the attribute {key} of {place} holds references")
        declared = prod(attribute.shape or ()) * attribute.dtype.itemsize
        if declared > LARGEST_ATTRIBUTE:
            raise _refused(name, f"the attribute {key} of {place} declares {declared:,} bytes")
        item.attrs[key]  # damage shows when it is read, and here it does no harm


def _is_text(dtype: Any) -> bool:
    import h5py

    return h5py.check_string_dtype(dtype) is not None


def _model_config(opened: h5py.File, name: str) -> str | None:
    config = opened.attrs.get("model_config")
    if config is None:
        return None
    if not isinstance(config, str | bytes):
        raise _refused(name, f"its attribute model_config is a {type(config).__name__}, and a text is expected")
    if len(config) > LARGEST_ATTRIBUTE:
        raise _refused(name, f"its attribute model_config has {len(config):,} bytes")
    try:
        return config if isinstance(config, str) else bytes(config).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(name, "its attribute model_config is not a text in UTF-8") from error


def _refused(name: str, reason: str) -> CorruptCheckpointError:
    return CorruptCheckpointError(
        f"{name} is not an HDF5 file with a model's weights: {reason}. Fetch it again from a source that you trust."
    )
