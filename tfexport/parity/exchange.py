"""The folder through which the processes of a comparison exchange arrays."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Exchange:
    """Inputs and outputs on disk, by the part of the model, the number of the case, and the name of the corner.

    Attributes:
        folder: Folder of the arrays. Only processes of this comparison write it: it holds pickles.
    """

    folder: Path

    def save_inputs(self, part: str, case: int, nested: Mapping[str, Any], flat: Mapping[str, np.ndarray]) -> None:
        """Write the inputs of a case.

        Args:
            part: Part of the model.
            case: Number of the case.
            nested: Inputs as a framework accepts them: a cache is nested sequences of arrays.
            flat: Inputs as a file accepts them: one array per name.
        """
        path = self._path(part, case, "inputs.pickle")
        path.write_bytes(pickle.dumps(dict(nested)))
        _save(self._path(part, case, "inputs.npz"), flat)

    def nested_inputs(self, part: str, case: int) -> dict[str, Any]:
        """Return the inputs as a framework accepts them."""
        return dict(pickle.loads(self._path(part, case, "inputs.pickle").read_bytes()))

    def inputs(self, part: str, case: int) -> dict[str, np.ndarray]:
        """Return the inputs as a file accepts them."""
        return _load(self._path(part, case, "inputs.npz"))

    def save_outputs(self, part: str, case: int, corner: str, outputs: Mapping[str, np.ndarray]) -> None:
        """Write the outputs of a case in a corner. Integers become int64, since frameworks use different widths."""
        wide = {name: value.astype(np.int64) if value.dtype.kind in "iu" else value for name, value in outputs.items()}
        _save(self._path(part, case, f"{corner}.npz"), wide)

    def outputs(self, part: str, case: int, corner: str) -> dict[str, np.ndarray] | None:
        """Return the outputs of a case in a corner; None when the corner has none."""
        path = self._path(part, case, f"{corner}.npz")
        return _load(path) if path.exists() else None

    def save_recording(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write intermediate tensors, and keep their order."""
        _save(self.folder / f"{name}.recording.npz", arrays)

    def recording(self, name: str) -> dict[str, np.ndarray]:
        """Return the intermediate tensors of a recording."""
        return _load(self.folder / f"{name}.recording.npz")

    def _path(self, part: str, case: int, name: str) -> Path:
        folder = self.folder / part
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{case}.{name}"


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays under numbers, and their names beside them: a tensor's name may not be a valid name in an archive."""
    numbered: dict[str, Any] = {str(number): array for number, array in enumerate(arrays.values())}
    np.savez(path, names=np.array(list(arrays), dtype=np.str_), **numbered)


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as archive:
        return {str(name): archive[str(number)] for number, name in enumerate(archive["names"])}
