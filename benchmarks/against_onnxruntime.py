"""Compare this benchmark's medians with those of ONNX Runtime's own tools, on the same file and number of threads.

    python -m benchmarks.against_onnxruntime          # writes benchmarks/results/against_onnxruntime.json

The tools take turns in a random order. They are `tfexport.benchmark`; ``onnxruntime.transformers.bert_perf_test``, as its users
run it; and the loop of ``onnxruntime_perf_test``: one input, a fixed number of ``session.run``, every call timed. No wheel
contains that program, so that its loop is written here and runs in a process of its own. The machine may drift, so that only
the ratio of neighbouring times is compared.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency import RESULTS
from benchmarks.shapes import prepare
from tfexport.benchmark import Options, Request, benchmark
from tfexport.benchmark.environment import machine
from tfexport.benchmark.statistics import ratio
from tfexport.pipeline.export import export_checkpoint
from tfexport.processes.isolation import call_isolated
from tfexport.runtime.sessions import open_session

BATCH, LENGTH, THREADS, CALLS = 1, 128, len(os.sched_getaffinity(0)), 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", nargs="?", default="bert-base")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--results", type=Path, default=RESULTS / "against_onnxruntime.json")
    arguments = parser.parse_args()
    before = machine()
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / arguments.shape
        call_isolated(_export, call_isolated(prepare, arguments.shape), exported)
        order = random.Random(0)
        rounds = [_round(exported, order) for _ in range(arguments.rounds)]
    medians = {name: [each[name]["median_ms"] for each in rounds] for name in _TOOLS}
    document: dict[str, Any] = {
        "environment": before,
        "shape": arguments.shape,
        "batch": BATCH,
        "sequence": LENGTH,
        "threads": THREADS,
        "rounds": rounds,
        "medians_ms": medians,
    }
    for other in ("bert_perf_test", "perf_test_loop"):
        found = ratio([[(value,) for value in medians["tfexport"]]], [[(value,) for value in medians[other]]])
        inside = sum(
            low <= median <= high
            for (low, high), median in zip(
                (each["tfexport"]["interval_ms"] for each in rounds), medians[other], strict=True
            )
        )
        document[other] = {
            "times_ours": round(found.median, 4),
            "interval": [round(found.low, 4), round(found.high, 4)],
            "inside_our_interval": f"{inside} of {len(rounds)}",
        }
        print(other, document[other], medians[other])
    print("tfexport", medians["tfexport"])
    arguments.results.write_text(json.dumps(document, indent=1) + "\n")


def _export(source: Path, target: Path) -> None:
    export_checkpoint(source, target)


def _round(exported: Path, order: random.Random) -> dict[str, Any]:
    """Run each tool once, in a random order, so that a drift of the machine affects all of them."""
    names = list(_TOOLS)
    order.shuffle(names)
    return {name: _TOOLS[name](exported) for name in names}


def _ours(exported: Path) -> dict[str, Any]:
    asked = Options(
        engines=("ort",),
        batch_sizes=(BATCH,),
        sequence_lengths=(LENGTH,),
        threads=(THREADS,),
        launches=2,
        time_limit_s=40.0,
    )
    document = benchmark([Request(str(exported))], asked)
    summary = document["groups"][0]["cells"][0]["summary"]
    return {name: summary[name] for name in ("median_ms", "interval_ms", "samples")}


def _bert_perf_test(exported: Path) -> dict[str, Any]:
    """Return the median that ONNX Runtime's tool writes, in milliseconds."""
    import onnxruntime.transformers

    path = exported / "model.onnx"
    script = Path(onnxruntime.transformers.__file__).parent / "bert_perf_test.py"
    with tempfile.TemporaryDirectory() as folder:  # it writes its results beside the file
        for file in path.parent.glob(f"{path.name}*"):
            (Path(folder) / file.name).hardlink_to(file)
        names = {"input_ids": "input_ids", "segment_ids": "token_type_ids", "input_mask": "attention_mask"}
        subprocess.run(
            [
                *(sys.executable, str(script), "--model", str(Path(folder) / path.name)),
                *("--batch_size", str(BATCH), "--sequence_length", str(LENGTH), "--samples", "10"),
                *("--test_times", str(CALLS // 10), "--intra_op_num_threads", str(THREADS)),
                *(part for name, value in names.items() for part in (f"--{name}_name", value)),
            ],
            check=True,
            capture_output=True,
        )
        (written,) = Path(folder).glob("perf_results_*.txt")
        (row,) = csv.DictReader(written.read_text().splitlines(), delimiter="\t")
        return {"median_ms": float(row["Latency_P50"])}


def _perf_test_loop(exported: Path) -> dict[str, Any]:
    return {"median_ms": call_isolated(_loop, exported / "model.onnx")}


def _loop(path: Path) -> float:
    """Return the median of a loop like that of ``onnxruntime_perf_test -m times``, in milliseconds."""
    session = open_session(path, threads=THREADS)
    generator = np.random.default_rng(0)
    feeds = {
        value.name: generator.integers(1000, 2000, (BATCH, LENGTH))
        if value.name == "input_ids"
        else np.ones((BATCH, LENGTH), np.int64)
        for value in session.get_inputs()
    }
    session.run(None, feeds)
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        session.run(None, feeds)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1000


_TOOLS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "tfexport": _ours,
    "bert_perf_test": _bert_perf_test,
    "perf_test_loop": _perf_test_loop,
}


if __name__ == "__main__":
    main()
