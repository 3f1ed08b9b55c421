"""A file's corner: ONNX Runtime, in a process of its own."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tfexport.graph.contract import Contract
from tfexport.parity.exchange import Exchange
from tfexport.parity.frameworks import Ran
from tfexport.pipeline.stages import peak_rss_mib
from tfexport.runtime.errors import runtime_errors
from tfexport.runtime.sessions import LEVELS, open_session
from tfexport.validation.invariance import can_be_cut, padding_error, spread
from tfexport.validation.structure import check_structure, dynamic_lengths, gives_other_lengths, takes_other_lengths

CPU = "cpu"
_DTYPES: Mapping[str, Any] = {
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True)
class Files:
    """The files of an export.

    Attributes:
        paths: by part, without those that have none.
        contracts: what they promise, by part.
        provider: that computes them, as the user calls it.
    """

    paths: Mapping[str, Path]
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    provider: str = CPU


def run_files(files: Files, folder: Path, corner: str, cases: Mapping[str, Sequence[int]]) -> Ran:
    """Check files, and run them on cases of every part.

    Args:
        files: what is run.
        folder: of the `Exchange`.
        corner: under which outputs are written.
        cases: the numbers of the cases of each part: those that the source takes itself.

    Raises:
        ProviderError: the provider cannot be had, or does not compute the file.
    """
    about = {"provider": files.provider, "files": {part: path.name for part, path in files.paths.items()}}
    ran = Ran(about)
    for part, path in files.paths.items():
        ran.structure[part], ran.problems[part] = check_structure(path, files.contracts.get(part)), {}
        try:
            session = _session(path, files, about)
        except runtime_errors() as error:
            ran.problems[part] = dict.fromkeys(cases[part], f"ONNX Runtime does not load the file: {error}")
            continue
        _run_part(session, part, cases[part], Exchange(folder), corner, ran)
    return replace(ran, peak_rss_mib=peak_rss_mib())


def _run_part(session: Any, part: str, cases: Iterable[int], exchange: Exchange, corner: str, ran: Ran) -> None:
    """Run cases of a part. Outputs are written, and what else there is to say is added to `ran`."""
    run = partial(_run, session)
    lengths: dict[str, set[int]] = defaultdict(set)
    for number in cases:
        try:
            inputs = _fed(session, exchange.inputs(part, number))
            outputs = run(inputs)
            if part not in ran.spread:
                ran.spread[part] = spread(outputs, run(inputs))
                loose = takes_other_lengths(session, inputs)
                ran.structure[part] += [] if loose is None else [loose]
        except runtime_errors() as error:
            ran.problems[part][number] = f"ONNX Runtime fails: {error}"
            continue
        exchange.save_outputs(part, number, corner, outputs)
        for axis, length in dynamic_lengths(session, inputs).items():
            lengths[axis].add(length)
        known = ran.structure[part]
        known += [problem for problem in gives_other_lengths(session, outputs) if problem not in known]
        if can_be_cut(inputs) and part not in ran.padding:
            ran.padding[part] = padding_error(run, inputs, outputs)
    ran.unvaried[part] = [axis for axis, found in lengths.items() if len(found) == 1]


def record_tensors(path: Path, folder: Path, corner: str, part: str, case: int) -> dict[str, str]:
    """Record every float tensor of a file for one case, without ONNX Runtime's optimisations, in topological order.

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
        name: found[name]
        for name in makers
        if isinstance(found.get(name), np.ndarray) and found[name].dtype.kind == "f"
    }
    exchange.save_recording(corner, floats)
    return {name: makers[name] for name in floats}


def run_at_levels(path: Path, folder: Path, part: str, case: int) -> dict[str, dict[str, np.ndarray] | str]:
    """What a file gives for one case at each level of ONNX Runtime's optimisations, or why it fails there."""
    inputs = Exchange(folder).inputs(part, case)
    found: dict[str, dict[str, np.ndarray] | str] = {}
    for level in LEVELS:
        try:
            session = open_session(path, level)
            found[level] = _run(session, _fed(session, inputs))
        except runtime_errors() as error:
            found[level] = str(error)
    return found


def _session(path: Path, files: Files, about: dict[str, Any]) -> Any:
    if files.provider == CPU:
        return open_session(path)
    from tfexport.runtime.providers import open_placed

    session, placement = open_placed(path, files.provider)
    about.setdefault("placement", {})[path.name] = placement.as_dict()
    return session


def _fed(session: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a session takes of some inputs, in its own dtypes: other tools' files may take int32."""
    fed = {}
    for value in session.get_inputs():
        if value.name not in inputs:
            raise ValueError(f"the file wants an input {value.name}, which its declaration does not name")
        fed[value.name] = inputs[value.name].astype(_DTYPES.get(value.type, inputs[value.name].dtype), copy=False)
    return fed


def _run(session: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(inputs)), strict=True))


def _opened(path: Path, opened: Path) -> dict[str, str]:
    """Write a copy of a file with every tensor among its outputs; its data is linked, not copied."""
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
    return {
        entry.value
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
