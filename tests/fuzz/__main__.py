"""The long run: see the docstring of `tests.fuzz`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from conformance.attack.runner import Zygote
from tests.fuzz.search import Budget, FoundError, keep, search
from tests.fuzz.targets import PRELOADED, TARGETS
from tfexport.text import printable

_EXAMPLES = 10_000
_ROUND_S = 20.0
"""Seconds of a target before the next one has its turn."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Search all targets in turn until the time is spent; return 1 where one fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what reads the files of others.")
    parser.add_argument("--seconds", type=float, default=600.0, help="time for all targets together")
    parser.add_argument("--only", nargs="+", default=[], metavar="TARGET", help="names of targets")
    parser.add_argument("--seed", type=int, default=None, help="seed of the first round; by default another each time")
    options = parser.parse_args(arguments)
    chosen = [target for target in TARGETS if not options.only or target.name in options.only]
    if not chosen:
        parser.error(f"expected {', '.join(target.name for target in TARGETS)}")
    number = random.randrange(2**32) if options.seed is None else options.seed
    end, found, zygote = time.monotonic() + options.seconds, 0, Zygote(PRELOADED)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        while time.monotonic() < end:
            for target in chosen:
                budget = Budget(_EXAMPLES, min(_ROUND_S, options.seconds / len(chosen)))
                try:
                    count = search(target, Path(folder) / "input", zygote, budget, number)
                    line = f"{target.name}: {count} inputs, seed {number}"
                except FoundError as error:
                    found += 1
                    line = f"{target.name}, seed {number}: {error}: {keep(target, error.content)}"
                sys.stdout.write(f"{printable(line)[:1500]}\n")
                sys.stdout.flush()
            number += 1
    zygote.close()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
