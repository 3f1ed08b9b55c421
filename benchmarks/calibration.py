"""Check the benchmark itself with engines of a known cost, measured like any other engine.

    python -m benchmarks.calibration              # writes benchmarks/results/calibration.json
    python -m benchmarks.calibration --runs 3     # fewer runs

Each engine returns the outputs of ONNX Runtime after it has kept a processor busy for a known time. The results show:

1. the reported median beside the known time;
2. how often two identical engines seem to differ;
3. how often an engine that is 5 % slower is found to be slower.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import onnx

from benchmarks.latency import RESULTS
from tfexport.benchmark import Options, benchmark
from tfexport.benchmark.engines.onnx_runtime import OnnxRuntime
from tfexport.benchmark.environment import machine

_MODULE = "benchmarks.calibration"
KNOWN_MS = 20.0
SLOWER = 1.05


class Busy(OnnxRuntime):
    """An engine that keeps a processor busy until a call has lasted 20 ms."""

    name = "busy"
    description = "ONNX Runtime on a graph of one node, then a busy loop: 20 ms together"
    milliseconds: ClassVar[float] = KNOWN_MS

    def run(self, fed: Any) -> Any:
        end = time.perf_counter_ns() + round(self.milliseconds * 1e6)
        outputs = super().run(fed)
        while time.perf_counter_ns() < end:
            pass
        return outputs


class BusyToo(Busy):
    """The same engine under another name."""

    name = "busy-too"


class BusySlower(Busy):
    """An engine that is 5 % slower."""

    name = "busy-slower"
    milliseconds = KNOWN_MS * SLOWER


class Twin(OnnxRuntime):
    """ONNX Runtime under another name, for identical cells that compute."""

    name = "twin"


def identity_file(path: Path, width: int = 8) -> Path:
    """Write a graph of one node."""
    text = f'<ir_version: 9, opset_import: ["": 18]> one (float[batch, {width}] x) => (float[batch, {width}] y) {{ y = Neg(x) }}'
    onnx.save(onnx.parser.parse_model(text), str(path))
    return path


def matmul_file(path: Path, width: int = 384, layers: int = 12) -> Path:
    """Write a graph that computes: products of matrices, one after the other."""
    nodes = " ".join(f"m{index} = MatMul(h{index}, w) h{index + 1} = Softsign(m{index})" for index in range(layers))
    text = (
        f'<ir_version: 9, opset_import: ["": 18]> chain (float[batch, {width}] h0, float[{width}, {width}] w) '
        f"=> (float[batch, {width}] h{layers}) {{ {nodes} }}"
    )
    onnx.save(onnx.parser.parse_model(text), str(path))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="runs of each comparison; 20 by default")
    parser.add_argument("--results", type=Path, default=RESULTS / "calibration.json")
    arguments = parser.parse_args()
    before = machine()
    with tempfile.TemporaryDirectory() as folder:
        one, chain = identity_file(Path(folder) / "one.onnx"), matmul_file(Path(folder) / "chain.onnx")
        known = [
            _run(one, f"{_MODULE}:Busy", f"{_MODULE}:BusyToo", f"{_MODULE}:BusySlower") for _ in range(arguments.runs)
        ]
        twins = [_run(chain, "ort", f"{_MODULE}:Twin") for _ in range(arguments.runs)]
    medians = [cell["summary"]["median_ms"] for group in known for cell in group["cells"][:2]]
    document = {
        "environment": before,
        "known_ms": KNOWN_MS,
        "reported_ms": {"smallest": min(medians), "largest": max(medians)},
        "worst_error": max(abs(median / KNOWN_MS - 1) for median in medians),
        "identical": _verdicts(known, 0),
        "identical_that_compute": _verdicts(twins, 0),
        "five_percent_slower": _verdicts(known, 1),
        "comparisons": {
            "known": [group["comparisons"] for group in known],
            "twins": [group["comparisons"] for group in twins],
        },
    }
    for name in ("reported_ms", "worst_error", "identical", "identical_that_compute", "five_percent_slower"):
        print(name, document[name])
    arguments.results.write_text(json.dumps(document, indent=1) + "\n")


def _run(file: Path, *engines: str) -> dict[str, Any]:
    document = benchmark(
        [file], Options(engines=engines, batch_sizes=(64,), threads=(1,), launches=2, time_limit_s=30.0)
    )
    (group,) = document["groups"]
    return dict(group)


def _verdicts(groups: list[dict[str, Any]], index: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for group in groups:
        verdict = group["comparisons"][index]["verdict"]
        found[verdict] = found.get(verdict, 0) + 1
    return found


if __name__ == "__main__":
    main()
