"""Tokens a second of a decoder and of an encoder-decoder, in ONNX Runtime and in the frameworks, in one run.

    python -m benchmarks.generation                          # everything; writes benchmarks/results/generation.json
    python -m benchmarks.generation gpt2 --batches 1         # a part of it
    python -m benchmarks.generation gpt2-tiny t5-tiny --tokens 8 --rounds 2 --results /dev/null  # try the benchmark itself

Every engine has a process of its own, the same number of threads, the same weights and the same prompt; all of them stay
loaded, and write in turn, so that what drifts drifts for all. Time is from NumPy ids to NumPy tokens; loading, compiling and
warming up are told apart. An engine that writes other tokens than TensorFlow gets no speed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.generation import models
from benchmarks.generation.engines import ENGINES
from benchmarks.generation.run import Settings, measure
from tfexport.benchmark.environment import machine

RESULTS = Path(__file__).resolve().parents[1] / "results" / "generation.json"
_BUSY = 0.2
"""Processors kept busy by others from which the table says so."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "models", nargs="*", help=f"of {', '.join(models.SHAPES)}; {', '.join(models.DEFAULT)} by default"
    )
    parser.add_argument("--engines", nargs="+", choices=tuple(ENGINES), default=list(ENGINES), help="all by default")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="numbers of rows; 1 and 4 by default")
    parser.add_argument("--prompt", type=int, default=16, help="tokens that are read first; 16 by default")
    parser.add_argument("--tokens", type=int, default=64, help="tokens that are written; 64 by default")
    parser.add_argument("--rounds", type=int, default=7, help="samples of each engine; 7 by default")
    parser.add_argument("--warm-ups", type=int, default=1, help="texts between the first and the rounds; 1 by default")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each engine; all by default"
    )
    parser.add_argument("--folder", type=Path, help="keep the models and their files here")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file to write")
    arguments = parser.parse_args()
    unknown = set(arguments.models) - set(models.SHAPES)
    if unknown:
        parser.error(f"no model {', '.join(sorted(unknown))}; there are {', '.join(models.SHAPES)}")
    settings = Settings(
        engines=tuple(arguments.engines),
        batches=tuple(arguments.batches),
        prompt=arguments.prompt,
        tokens=arguments.tokens,
        rounds=arguments.rounds,
        warm_ups=arguments.warm_ups,
        threads=arguments.threads,
    )
    document: dict[str, Any] = {"environment": machine(), "settings": asdict(settings), "models": []}
    for name in arguments.models or models.DEFAULT:
        folder = None if arguments.folder is None else arguments.folder / name
        row = measure(name, settings, _say, folder)
        print("\n".join(table(row)), flush=True)
        document["models"].append(row)
    document["environment"]["load_average_after"] = [round(load, 2) for load in os.getloadavg()]
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(document, indent=1) + "\n")


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def table(row: dict[str, Any]) -> list[str]:
    """Lines on one model: tokens a second, the spread, and how many times as fast as each framework."""
    lines = []
    for at in row["batches"]:
        lines.append(f"{row['model']} ({row['parameters'] / 1e6:.0f} million weights), batch {at['batch']}")
        for name, cell in at["engines"].items():
            lines.append(f"  {name:20} {_told(cell, at['ratios'].get(name, {}))}")
        for name, engine in row["engines"].items():
            if "failed" in engine:
                lines.append(f"  {name:20} not loaded: {engine['failed']}")
    return lines


def _told(cell: dict[str, Any], ratios: dict[str, Any]) -> str:
    if "refused" in cell:
        return f"no speed: {cell['refused']}"
    speed = cell["tokens_per_second"]
    text = f"{speed['median']:8.2f} tokens/s [{speed['range'][0]:.2f}, {speed['range'][1]:.2f}]"
    text += f"   first text {cell['first_text_seconds']:.1f} s"
    for other, found in ratios.items():
        low, high = found["interval_95"]
        text += f"   {found['median']:.2f}x {other} [{low:.2f}, {high:.2f}]"
    busy = max((cpus for cpus in cell["others_cpus"] if cpus is not None), default=0.0)
    return text + (f"   (others kept up to {busy:.1f} processors busy)" if busy > _BUSY else "")


if __name__ == "__main__":
    main()
