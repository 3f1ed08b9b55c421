"""A file's corner: ONNX Runtime, in a process of its own."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tfexport.errors import CorruptCheckpointError
from tfexport.graph.contract import Contract
from tfexport.parity.corners import CPU
from tfexport.parity.exchange import Exchange
from tfexport.parity.run_result import PartRecord, RunResult
from tfexport.runtime.errors import runtime_errors
from tfexport.runtime.providers import open_on_provider
from tfexport.runtime.sessions import LEVELS, open_session
from tfexport.validation.invariance import can_be_cut, padding_error, spread
from tfexport.validation.structure import accepts_other_lengths, check_structure, dynamic_lengths, returns_other_lengths

_DTYPES: Mapping[str, Any] = {
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True)
class ExportedFiles:
    """The files of an export.

    Attributes:
        paths: Files, by the part of the model that each computes.
        contracts: Contracts that the files must keep, by part; a part without a known contract is left out.
    """

    paths: Mapping[str, Path]
    contracts: Mapping[str, Contract] = field(default_factory=dict)

    @property
    def on_disk(self) -> list[Path]:
        """The files, and those beside them whose names begin like theirs: their data."""
        return [found for path in self.paths.values() for found in path.parent.glob(f"{escape(path.name)}*")]


def run_files(
    files: ExportedFiles, provider: str, folder: Path, corner: str, cases: Mapping[str, Sequence[int]]
) -> RunResult:
    """Check files, and run them on cases of every part.

    Args:
        files: Files to run.
        provider: Execution provider of ONNX Runtime, as users write it.
        folder: Folder of the `Exchange`.
        corner: Name under which outputs are written.
        cases: Numbers of the cases of each part: those that the source itself accepts.

    Raises:
        ProviderError: The provider is not available, or does not run the file.
    """
    about: dict[str, Any] = {
        "provider": provider,
        "files": {part: path.name for part, path in files.paths.items()},
    }
    records = {}
    for part, path in files.paths.items():
        records[part] = record = PartRecord(structure=check_structure(path, files.contracts.get(part)))
        try:
            session = _session(path, provider, about)
        except runtime_errors() as error:
            record.problems |= dict.fromkeys(cases[part], f"ONNX Runtime does not load the file: {error}")
            continue
        _FileRunner(Exchange(folder), corner, part, session).run(cases[part], record)
    return RunResult.of(about, records)


@dataclass(frozen=True)
class _FileRunner:
    """Runs the file of one part."""

    exchange: Exchange
    corner: str
    part: str
    session: Any

    def run(self, cases: Iterable[int], record: PartRecord) -> None:
        lengths: dict[str, set[int]] = defaultdict(set)
        for number in cases:
            try:
                inputs = _fed(self.session, self.exchange.inputs(self.part, number))
                outputs = self._run(inputs)
                if record.spread is None:
                    self._check_first(record, inputs, outputs)
            except runtime_errors() as error:
                record.problems[number] = f"ONNX Runtime fails: {error}"
                continue
            self.exchange.save_outputs(self.part, number, self.corner, outputs)
            self._check(record, inputs, outputs)
            for axis, length in dynamic_lengths(self.session, inputs).items():
                lengths[axis].add(length)
        record.unvaried = [axis for axis, found in lengths.items() if len(found) == 1]

    def _check_first(
        self, record: PartRecord, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
    ) -> None:
        record.spread = spread(outputs, self._run(inputs))
        problem = accepts_other_lengths(self.session, inputs)
        _add(record, [] if problem is None else [problem])

    def _check(self, record: PartRecord, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> None:
        _add(record, returns_other_lengths(self.session, outputs))
        if can_be_cut(inputs) and record.padding is None:
            record.padding = padding_error(self._run, inputs, outputs)

    def _run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return _run(self.session, inputs)


def _add(record: PartRecord, problems: Iterable[str]) -> None:
    known = record.structure or []
    record.structure = [*known, *(problem for problem in problems if problem not in known)]


def record_tensors(path: Path, folder: Path, name: str, part: str, case: int) -> dict[str, str]:
    """Record every float tensor of a file for one case, in topological order, without ONNX Runtime's optimisations.

    Args:
        path: ONNX file.
        folder: Folder of the `Exchange`.
        name: Name of the recording.
        part: Part of the model that the file computes.
        case: Number of the case.

    Returns:
        The node that makes each tensor, as ``op (name)``.
    """
    exchange = Exchange(folder)
    with tempfile.TemporaryDirectory(dir=path.parent) as beside:
        opened = Path(beside) / path.name
        makers = _opened(path, opened)
        session = open_session(opened, "disabled")
        values = session.run(None, _fed(session, exchange.inputs(part, case)))
        names = [value.name for value in session.get_outputs()]
    found = dict(zip(names, values, strict=True))
    floats = {
        tensor: found[tensor]
        for tensor in makers
        if isinstance(found.get(tensor), np.ndarray) and found[tensor].dtype.kind == "f"
    }
    exchange.save_recording(name, floats)
    return {tensor: makers[tensor] for tensor in floats}


def run_at_levels(path: Path, folder: Path, part: str, case: int) -> dict[str, dict[str, np.ndarray] | str]:
    """Return the outputs of a file for one case at each level of ONNX Runtime's optimisations, or why it fails there."""
    inputs = Exchange(folder).inputs(part, case)
    found: dict[str, dict[str, np.ndarray] | str] = {}
    for level in LEVELS:
        try:
            session = open_session(path, level)
            found[level] = _run(session, _fed(session, inputs))
        except runtime_errors() as error:
            found[level] = str(error)
    return found


def _session(path: Path, provider: str, about: dict[str, Any]) -> Any:
    if provider == CPU:
        return open_session(path)
    session, assignment = open_on_provider(path, provider)
    about.setdefault("placement", {})[path.name] = assignment.as_dict()
    return session


def _fed(session: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the inputs of a session in its own dtypes: files of other tools may require int32.

    Raises:
        ValueError: The session requires an input that is not there.
    """
    fed = {}
    for value in session.get_inputs():
        if value.name not in inputs:
            raise ValueError(f"the file requires an input {value.name}, which its declaration does not name")
        fed[value.name] = inputs[value.name].astype(_DTYPES.get(value.type, inputs[value.name].dtype), copy=False)
    return fed


def _run(session: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(inputs)), strict=True))


def _opened(path: Path, opened: Path) -> dict[str, str]:
    """Write a copy of a file that returns every tensor. Its data is linked, not copied."""
    model = onnx.load(str(path), load_external_data=False)
    for data in data_files(model):
        os.link(path.parent / data, opened.parent / data)
    makers = {
        output: f"{node.op_type} ({node.name or 'no name'})"
        for node in model.graph.node
        for output in node.output
        if output
    }
    known = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in makers if name not in known)
    onnx.save(model, str(opened))
    return makers


def data_files(model: onnx.ModelProto) -> set[str]:
    """Return the names of the files that hold the weights of a model outside of it.

    Raises:
        CorruptCheckpointError: One is not a plain name, so that it may lead out of the model's folder.
    """
    names = {
        entry.value
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for name in names:
        if name in ("", "..") or Path(name).name != name:
            raise CorruptCheckpointError(
                f"the ONNX file keeps weights in {name!r}; expected a file beside it. Export it again."
            )
    return names
