"""Run a suite of benchmarks/suites, and write its results.

    python -m benchmarks.latency cpu text throughput       # writes benchmarks/results/latency_{suite}.json, .md and .html
    python -m benchmarks.latency cpu --only bert-base      # only one target; nothing is written
    python -m benchmarks.latency path/to/suite.toml --results somewhere
    python -m benchmarks.latency cuda --without tf-function tf-xla    # where TensorFlow is not installed

If the path of a target does not exist, it is a name of `benchmarks.shapes`, which creates the checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.shapes import REAL, SHAPES, prepare
from tfexport.benchmark import benchmark, read_suite, write
from tfexport.benchmark.report import markdown, render
from tfexport.benchmark.suite import Options, Suite
from tfexport.processes.isolation import call_isolated

_FOLDER = Path(__file__).resolve().parent
RESULTS = _FOLDER / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="+", help="names of files in benchmarks/suites, or TOML files")
    parser.add_argument("--only", nargs="+", help="only these targets")
    parser.add_argument("--without", nargs="+", default=[], help="engines of the suite to leave out")
    parser.add_argument("--time-limit", type=float, help="seconds, in place of the limit of the suite")
    parser.add_argument("--results", type=Path, help="folder to write; benchmarks/results by default")
    arguments = parser.parse_args()
    for name in arguments.suites:
        file = Path(name) if name.endswith(".toml") else _FOLDER / "suites" / f"{name}.toml"
        suite = prepared(read_suite(file), arguments.only, arguments.without)
        options = Options(time_limit_s=arguments.time_limit).over(suite.options)
        document = benchmark(suite.targets, options, name=suite.name, progress=_say)
        print(markdown(document))
        folder = arguments.results or (None if arguments.only else RESULTS)
        if folder is not None:
            stem = folder / f"latency_{suite.name}"
            write(stem.with_suffix(".json"), document)
            render(document, html=stem.with_suffix(".html"), markdown=stem.with_suffix(".md"))


def prepared(suite: Suite, only: list[str] | None, without: list[str]) -> Suite:
    """Return a suite whose checkpoints exist, with only some of its targets, and without some of its engines."""
    targets = []
    for request, options in suite.targets:
        if only is not None and request.called not in only:
            continue
        if request.path in {*SHAPES, *REAL}:
            request = replace(request, path=str(call_isolated(prepare, request.path)))
        targets.append((request, _without(options, without)))
    return replace(suite, options=_without(suite.options, without), targets=tuple(targets))


def _without(options: Options, engines: list[str]) -> Options:
    kept = tuple(name for name in options.engines or () if name not in engines)
    return replace(options, engines=kept or None)


def _say(share: float, text: str) -> None:
    print(f"{share:4.0%} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
