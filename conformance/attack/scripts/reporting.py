"""Shared by the scripts: lines that the harness reads, and facts about this process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def problem(text: str) -> None:
    """Report what does not hold."""
    print(f"PROBLEM: {' '.join(text.split())[:400]}", flush=True)


def done() -> None:
    """Report that the script has come to its end."""
    print("DONE", flush=True)


def is_complete(export: Path) -> bool:
    """Return whether a folder holds what its manifest lists."""
    listed = {
        name: each["sha256"] for name, each in json.loads((export / "tfexport.json").read_text())["files"].items()
    }
    found = {
        str(file.relative_to(export)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in export.rglob("*")
        if file.is_file() and file.name != "tfexport.json"
    }
    return listed == found


def staged_beside(target: Path) -> list[str]:
    """Return what is left of exports, beside a target and in it."""
    places = [target.parent, *([target] if target.is_dir() else [])]
    return [entry.name for place in places for entry in place.iterdir() if ".tfexport-" in entry.name]


def status(name: str) -> int:
    """Return a number of ``/proc/self/status``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
