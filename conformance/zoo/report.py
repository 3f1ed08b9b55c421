"""The report of a run of the zoo: ``conformance/results/zoo.json``, and ``SUPPORT.md`` for readers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from conformance.zoo.rows import Result, Row
from tfexport.checkpoints.framework import FRAMEWORK_NAMES, FRAMEWORKS, Framework
from tfexport.declarations.architectures.unsupported import UNSUPPORTED
from tfexport.pipeline.manifest import installed_versions

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "conformance" / "results" / "zoo.json"
SUPPORT = ROOT / "SUPPORT.md"

_COLUMNS: tuple[Framework, ...] = ("tf", "pt")


def write(rows: Sequence[Row], results: Mapping[str, Result]) -> None:
    """Write both files."""
    document = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": installed_versions(),
        "passed": _counts(rows, results),
        "passed_of_the_seed": _counts([row for row in rows if (row.model_type, row.feature) in seed()], results),
        "rows": [{**vars(row), **results[row.name].as_dict()} for row in rows],
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    SUPPORT.write_text(render(document))


@cache
def seed() -> frozenset[tuple[str, str]]:
    """Return the pairs of model type and feature that ``transformers.onnx`` knows."""
    from transformers.onnx.features import FeaturesManager

    return frozenset(
        (model_type, feature)
        for model_type, features in FeaturesManager._SUPPORTED_MODEL_TYPE.items()
        for feature in features
    )


def read() -> dict[str, Any]:
    """Return the results of the last full run."""
    document: dict[str, Any] = json.loads(RESULTS.read_text())
    return document


def summary(rows: Sequence[Row], results: Mapping[str, Result]) -> str:
    """Return the counts, and every failure with its cause."""
    lines = [f"{FRAMEWORK_NAMES[f]}: {count}" for f, count in _counts(rows, results).items()]
    of_seed = [row for row in rows if (row.model_type, row.feature) in seed()]
    lines += [f"{FRAMEWORK_NAMES[f]}, of transformers.onnx: {count}" for f, count in _counts(of_seed, results).items()]
    lines += [f"{row.name}: {results[row.name].problem}" for row in rows if not results[row.name].passed]
    return "\n".join(lines)


def _counts(rows: Sequence[Row], results: Mapping[str, Result]) -> dict[Framework, str]:
    counts: dict[Framework, str] = {}
    for framework in FRAMEWORKS:
        own = [results[row.name] for row in rows if row.framework == framework]
        if own:
            counts[framework] = f"{sum(result.passed for result in own)} of {len(own)}"
    return counts


def render(document: Mapping[str, Any]) -> str:
    """Return the text of ``SUPPORT.md``."""
    rows = document["rows"]
    versions = document["versions"]
    passed, of_seed = (
        ", ".join(f"{FRAMEWORK_NAMES[f]} {document[which][f]}" for f in _COLUMNS)
        for which in ("passed", "passed_of_the_seed")
    )
    used = ("transformers", "tensorflow", "tf2onnx", "torch", "onnxruntime")
    head = [
        "# What can be exported",
        "",
        "`make zoo` writes this file from the registry and its last full run; it is not edited by hand. Every row was exported",
        "from a tiny model with random weights, loaded in ONNX Runtime, and compared with its source on three to five shapes",
        "that were not traced. Models with an attention mask were also compared on rows padded left and right.",
        "",
        f"{document['created'][:10]}, with {', '.join(f'{name} {versions[name]}' for name in used if name in versions)}. "
        f"Passed: {passed}; of the rows of `transformers.onnx` among them: {of_seed}.",
        "",
        "A cell has the opset of the files and the largest absolute error over all cases and outputs. A dash means that",
        "transformers lacks a class in this framework. A number of tokens means that the files generated as many tokens per row",
        "with their cache, greedily, after prompts padded on the left; each token is the one that the model itself generates",
        "without a cache. Encoder-decoders that generate text were exported as the parts that clients load, merged too, and as",
        "one file.",
        "",
        "| model type | feature | TensorFlow | PyTorch |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *_table(rows), "", *_failures(rows), *_left_out()]) + "\n"


def _table(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for (model_type, feature), group in groupby(rows, key=lambda row: (row["model_type"], row["feature"])):
        cells = {row["framework"]: _cell(row) for row in group}
        yield f"| {model_type} | {feature} | {' | '.join(cells.get(f, '-') for f in _COLUMNS)} |"


def _cell(row: Mapping[str, Any]) -> str:
    if not row["passed"]:
        return "**fails**"
    written = f", {row['generated']} tokens" if row.get("generated") else ""
    return f"{row['opset']}, {row['max_abs_error']:.1e}{written}"


def _failures(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    failed = [row for row in rows if not row["passed"]]
    if failed:
        yield from ("## Rows that fail", "", "| row | cause |", "|---|---|")
        for row in failed:
            cause = str(row["problem"]).replace("|", "\\|")
            yield f"| {row['model_type']} / {row['feature']} / {FRAMEWORK_NAMES[row['framework']]} | {cause} |"
        yield ""


def _left_out() -> Iterable[str]:
    yield from ("## What is not exported", "", "| model type | feature | framework | cause |", "|---|---|---|---|")
    for entry in UNSUPPORTED:
        framework = "both" if entry.framework is None else FRAMEWORK_NAMES[entry.framework]
        yield f"| {entry.model_type} | {entry.feature or 'all'} | {framework} | {entry.cause} |"
