"""What a manifest says of the files that it lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfexport.graph.contract import Contract, Port


def contracts_of(manifest: Mapping[str, Any]) -> dict[str, Contract]:
    """What each file promises, by its name without ``.onnx``."""
    return {
        Path(name).stem: Contract(_ports(graph["inputs"]), _ports(graph["outputs"]))
        for name, graph in manifest.get("graphs", {}).items()
    }


def _ports(listed: list[dict[str, Any]]) -> tuple[Port, ...]:
    return tuple(Port(port["name"], port["dtype"], tuple(port["shape"])) for port in listed)
