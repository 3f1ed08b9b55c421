"""The parts of a results file's environment that influence its times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-genai",
    "openvino",
    "tensorflow",
    "tf-keras",
    "torch",
    "transformers",
    "optimum",
    "optimum-onnx",
    "numpy",
)
"""Packages that compute, or that call packages which compute."""


def hardware(document: Mapping[str, Any]) -> dict[str, str]:
    """Return facts about the hardware by name; unknown ones are left out."""
    before = document["environment"]["before"]
    cpus = before["cpus"]
    facts = {
        "processor": before["cpu"],
        "usable processors": cpus.get("usable"),
        "governor": cpus.get("governor"),
        "GPU": ", ".join(f"{gpu['name']} (driver {gpu['driver']})" for gpu in before.get("gpus", ())) or None,
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def software(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions of Python and of the installed packages that matter."""
    before = document["environment"]["before"]
    versions = before["versions"]
    python = {"Python": str(before["python"])} if "python" in before else {}
    return python | {name: str(versions[name]) for name in PACKAGES if name in versions}


def variables(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables that were set and influence speed."""
    return dict(document["environment"]["before"].get("variables", {}))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a sentence per difference that makes the times of two results files hard to compare."""
    before, after = ({**hardware(each), **software(each), **variables(each)} for each in (old, new))
    return [
        f"{name}: {before.get(name, 'none')} before, {after.get(name, 'none')} now"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
