"""Measure the startup time of ``tfexport --help`` and ``import tfexport``, beside a Python program that does nothing.

    python -m benchmarks.startup

Each command runs eleven times after a warm-up. The program prints the median wall times, and the frameworks that an import
loads.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 11
FRAMEWORKS = ("tensorflow", "torch", "transformers")
_LOADED = f"; import sys; print([name for name in {FRAMEWORKS!r} if name in sys.modules])"
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import tfexport": [sys.executable, "-c", "import tfexport"],
    "tfexport --help": [sys.executable, "-m", "tfexport", "--help"],
    "tfexport export --help": [sys.executable, "-m", "tfexport", "export", "--help"],
}


def main() -> None:
    for name, command in COMMANDS.items():
        print(f"{name:24} {median_seconds(command):.3f} s")
    for module in ("tfexport", "tfexport.cli"):
        loaded = subprocess.run(
            [sys.executable, "-c", f"import {module}{_LOADED}"], capture_output=True, text=True, check=True
        )
        print(f"frameworks that `import {module}` loads: {loaded.stdout.strip()}")


def median_seconds(command: list[str]) -> float:
    """Return the median wall time of a command, in seconds."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
