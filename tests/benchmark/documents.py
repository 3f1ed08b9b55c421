"""Results documents for the tests, from the same classes as those of a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfexport.benchmark.cell_results import CellResult, Launch, comparisons
from tfexport.benchmark.cells import Axes, Cell, Setting
from tfexport.benchmark.results import SCHEMA_VERSION, check
from tfexport.benchmark.stopwatch import Span
from tfexport.benchmark.worker import Loaded, Round

SETTING = Setting("minilm", 8, 128, 0, 2, 1, "host", "fp32")
TEXT = Setting("gpt2", 1, 16, 32, 2, 1, "host", "fp32")
GRAPH = {
    "nodes": 601,
    "ops": {"MatMul": 97},
    "fused": 0,
    "opset": {"ai.onnx": 18},
    "inputs": {"input_ids": ["batch", "sequence"]},
    "outputs": {"last_hidden_state": ["batch", "sequence", 384]},
}
ENVIRONMENT = {
    "cpu": "Some Processor (avx2, fma)",
    "cpus": {"usable": 2, "physical": 2, "governor": None},
    "memory_gib": 15.6,
    "gpus": [],
    "python": "3.11.9",
    "load_average": [0.1, 0.2, 0.3],
    "variables": {},
    "versions": {"onnxruntime": "1.24.0", "tensorflow": "2.21.0", "pillow": "11.0"},
}


def launches(
    median_ms: float,
    *,
    seed: int = 0,
    number: int = 3,
    rounds: int = 10,
    calls: int = 5,
    noise: float = 0.02,
    steady: bool = True,
    others_cpus: float = 0.0,
) -> list[Launch]:
    """Return processes whose calls scatter about the same median."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        values = median_ms * 1000 * np.exp(noise * random.standard_normal((rounds, calls)))
        loaded = Loaded(0.5, 0.25, 1250.0, 60.0, 512.0, None, {})
        seconds = [float(each.sum() / 1e6) for each in values]
        measured = [
            Round(tuple(map(float, each)), Span(took, others_cpus * took))
            for each, took in zip(values, seconds, strict=True)
        ]
        made.append(Launch(loaded, tuple(map(float, values[0])), steady, measured))
    return made


def cell(engine: str, setting: Setting = SETTING, made: list[Launch] | None = None) -> CellResult:
    """Return a measured cell."""
    return CellResult(
        Cell(engine, "cpu", setting), parity={"problem": None, "max_abs_error": 2e-6}, launches=made or []
    )


def without_number(engine: str, status: str, problem: str, setting: Setting = SETTING) -> CellResult:
    """Return a cell that was refused or that failed."""
    made = cell(engine, setting)
    made.give_up(status, problem)
    return made


def document(*groups: Sequence[CellResult], **changed: Any) -> dict[str, Any]:
    """Return a results document.

    Args:
        groups: Cells of each group, which share one setting.
        changed: Parts of the environment that differ.
    """
    settings = [group[0].cell.setting for group in groups]
    targets = list(dict.fromkeys(setting.target for setting in settings))
    made = {
        "schema_version": SCHEMA_VERSION,
        "created": "2026-01-02T03:04:05+00:00",
        "name": "a suite",
        "ended": "precise",
        "settings": {
            "launches": 3,
            "round_s": 0.2,
            "time_limit_s": 110.0,
            "axes": {target: Axes(("ort",)).as_dict() for target in targets},
        },
        "environment": {"before": ENVIRONMENT | changed, "load_average_after": [0.5, 0.4, 0.3]},
        "engines": {"ort": "ONNX Runtime"},
        "targets": [
            {
                "name": target,
                "kind": "export",
                "exported_from": "tf",
                "export_s": 7.5,
                "files": {"model.onnx": {"bytes": 90_400_000, "sha256": "0" * 64}},
                "graphs": {"model": GRAPH},
                "reference": "tf-eager",
            }
            for target in targets
        ],
        "groups": [
            {
                "name": setting.name,
                "setting": setting.as_dict(),
                "cells": [each.as_dict() for each in group],
                "comparisons": comparisons(list(group), 7.5),
            }
            for setting, group in zip(settings, groups, strict=True)
        ],
    }
    check(made, "a document of the tests")
    return made


def usual() -> dict[str, Any]:
    """Return a document of two targets: one with all verdicts and a cell that was killed, and one that writes text."""
    small = replace(SETTING, batch=1)
    first, more = replace(TEXT, tokens=1), TEXT
    return document(
        [
            cell("ort", small, launches(2.0)),
            cell("tf-function", small, launches(5.0, seed=1)),
            cell("tf-xla", small, launches(1.6, seed=2)),
        ],
        [
            cell("ort", SETTING, launches(12.0, calls=23)),
            cell("tf-function", SETTING, launches(12.05, seed=3, calls=23)),
            without_number("tf-xla", "failed", "its process was killed by SIGKILL (out of memory?)"),
        ],
        [cell("ort", first, launches(30.0)), cell("tf-xla", first, launches(45.0, seed=4))],
        [cell("ort", more, launches(700.0)), cell("tf-xla", more, launches(900.0, seed=5))],
    )
