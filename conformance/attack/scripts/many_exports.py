"""Exports twenty times in one process: memory, descriptors and threads stay flat.

Arguments: the model, the target, and the options as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

import numpy as np

from conformance.attack.scripts.reporting import done, problem, status
from tfexport import export_model

_EXPORTS = 20
_WARM = 5
"""Exports after which caches are full."""
_MOST_MIB = 2.0
"""MiB by which an export may grow the process, by the slope of a line through the exports after the warm ones."""


def main(model: str, target: Path, options: dict[str, object]) -> None:
    """Export, and look at the process after each export."""
    memory, descriptors, threads = [], [], []
    for _ in range(_EXPORTS):
        export_model(model, target, **options)  # type: ignore[arg-type]
        gc.collect()
        memory.append(status("VmRSS") / 1024)
        descriptors.append(len(list(Path("/proc/self/fd").iterdir())))
        threads.append(status("Threads"))
    slope = float(np.polyfit(np.arange(_EXPORTS - _WARM), memory[_WARM:], 1)[0])
    print(f"slope: {slope:.2f} MiB per export; descriptors {descriptors[-1]}; threads {threads[-1]}", flush=True)
    if slope > _MOST_MIB:
        problem(f"memory grows by {slope:.2f} MiB per export")
    for name, values in (("descriptors", descriptors), ("threads", threads)):
        if values[-1] > values[_WARM - 1]:
            problem(f"{name} grow from {values[_WARM - 1]} to {values[-1]}")
    if left := [entry.name for entry in Path(os.environ["TMPDIR"]).iterdir()]:
        problem(f"left in TMPDIR: {left[:3]}")
    done()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))
