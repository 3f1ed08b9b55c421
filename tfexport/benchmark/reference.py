"""The reference: the inputs of each setting, and the outputs that every engine must return for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfexport.benchmark.cells import Cell, Setting
from tfexport.benchmark.engines import engine
from tfexport.benchmark.parity_gate import TOKENS
from tfexport.benchmark.run_spec import Arrays, Model, RunSpec
from tfexport.errors import BenchmarkError


def save(path: Path, arrays: Arrays) -> None:
    """Write arrays to one file, by name."""
    np.savez(path, **arrays)  # type: ignore[arg-type]


def make_references(model: Model, name: str, settings: Sequence[Setting], folder: Path) -> None:
    """Run the reference on the inputs of each setting. Call it in a process of its own.

    A short text is the beginning of a long one, so that only the longest text of each prompt is written.

    Args:
        model: Model to run.
        name: Engine that is the reference. ONNX Runtime runs without its optimisations.
        settings: Settings of one target, with different inputs.
        folder: Folder that holds ``{inputs}.inputs.npz``, and receives ``{inputs}.outputs.npz``.

    Raises:
        BenchmarkError: The reference itself returns NaN or infinite values.
    """
    most = max(setting.tokens for setting in settings)
    plain = replace(settings[0], tokens=most, precision="fp32", boundary="host", streams=1)
    running = engine(name, writes=most > 0)()
    running.load(RunSpec(model, Cell(name, "cpu", plain), level="disabled"))
    for longest in (setting for setting in settings if setting.tokens == most):
        inputs = dict(np.load(folder / f"{longest.inputs}.inputs.npz"))
        outputs = running.fetch(running.run(running.feed(inputs)))
        _check(name, longest, outputs)
        kept = {output: outputs[output] for output in model.outputs or outputs}
        for setting in (each for each in settings if replace(each, tokens=most) == longest):
            cut = {TOKENS: kept[TOKENS][:, : setting.tokens]} if most else kept
            save(folder / f"{setting.inputs}.outputs.npz", cut)


def _check(name: str, setting: Setting, outputs: Mapping[str, Any]) -> None:
    bad = [output for output, value in outputs.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
    if bad:
        raise BenchmarkError(
            f"the reference, {name}, returns NaN or infinite values in {', '.join(bad)} at {setting.name}, so that nothing can "
            "be compared with it."
        )


def distinct(settings: Iterable[Setting]) -> list[Setting]:
    """Return one setting per set of inputs. They differ only in their inputs."""
    first, *others = settings
    alike = [replace(first, batch=each.batch, sequence=each.sequence, tokens=each.tokens) for each in (first, *others)]
    return list(dict.fromkeys(alike))
