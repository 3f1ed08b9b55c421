"""The manifest of an exported directory: what it is, where it came from, and how it was proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.dummy_inputs import PAST, PRESENT
from tfexport.graph import Contract, OnnxFiles, OnnxGraph, Port
from tfexport.pipeline.conversion import weights_read
from tfexport.pipeline.plan import Attempt, Plan, Source
from tfexport.pipeline.publishing import MODEL as DEFAULT_FILE
from tfexport.pipeline.stages import Stages
from tfexport.validation import ValidationReport, json_number

SCHEMA_VERSION = 1

PACKAGES = (
    "tfexport",
    "transformers",
    "tensorflow",
    "tf-keras",
    "keras",
    "tf2onnx",
    "torch",
    "onnx",
    "onnx-ir",
    "onnxscript",
    "onnxruntime",
    "onnxruntime-gpu",
    "numpy",
)


def installed_versions() -> dict[str, str]:
    """Versions of the packages that an export depends on, those that are installed."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe(plan: Plan, source: Source, best: Attempt, attempts: Sequence[Attempt], stages: Stages) -> dict[str, Any]:
    """The manifest, but for the list of files, which `tfexport.pipeline.publishing.publish` adds.

    Args:
        plan: what was to be exported.
        source: what was loaded.
        best: the attempt whose file is published.
        attempts: every attempt, in the order they were made.
        stages: what each stage took.
    """
    graphs, files, report = best.graphs, best.files, best.report
    assert graphs and files and report is not None
    opsets = {graph.opset for graph in graphs.values()}
    assert len(opsets) == 1
    checkpoint, choice = plan.checkpoint, plan.choice
    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": {
            "checkpoint": checkpoint.source,
            "kind": checkpoint.kind.name,
            "model_type": plan.model_type,
            "model_class": source.loaded.model_class,
            **(_of_plain(source, checkpoint) if checkpoint.kind.declares_itself else {}),
            "sha256": checkpoint.sha256(choice.weights),
            "missing_weights": sorted(source.loaded.lacking(weights_read(graphs))),
        },
        "framework": {"name": choice.framework, "reason": choice.reason, "weights_from": choice.weights},
        "feature": plan.feature,
        "opset": opsets.pop(),
        "exporter": best.route,
        "attempts": [{"exporter": attempt.route, "problems": list(attempt.problems)} for attempt in attempts],
        "caveats": list(plan.caveats),
        "values_override": dict(plan.config.values_override or {}),
        "preprocessor": source.preprocessor.kind,
        "graphs": {files[name].model.name: _graph(graph, files[name]) for name, graph in graphs.items()},
        "validated": report.passed,
        "validation": _validation(report),
        "stages": {
            name: {"seconds": round(seconds, 3), "peak_rss_mib": round(stages.peak_rss_mib[name], 1)}
            for name, seconds in stages.seconds.items()
        },
        "versions": installed_versions(),
    }


def _of_plain(source: Source, checkpoint: Checkpoint) -> dict[str, Any]:
    """What is known of a model that declares itself: which Keras loaded it, and how the user had it read."""
    return {"loaded_by": source.loaded.loaded_by, "options": checkpoint.options.as_dict()}


def _graph(graph: OnnxGraph, files: OnnxFiles) -> dict[str, Any]:
    return {
        "nodes": files.nodes,
        "weight_bytes": files.weight_bytes,
        "data": None if files.data is None else files.data.name,
        "passes": list(graph.passes),
        "level": graph.level,
        "matches": dict(graph.matches),
        **_ports(graph.contract),
    }


def _ports(contract: Contract) -> dict[str, Any]:
    return {
        side: [{"name": port.name, "dtype": port.dtype, "shape": list(port.shape)} for port in ports]
        for side, ports in (("inputs", contract.inputs), ("outputs", contract.outputs))
    }


def contracts_of(manifest: Mapping[str, Any]) -> dict[str, Contract]:
    """What each file that a manifest lists promises, by its name without ``.onnx``."""
    return {
        Path(name).stem: Contract(*(tuple(map(_port, graph[side])) for side in ("inputs", "outputs")))
        for name, graph in manifest.get("graphs", {}).items()
    }


def _port(listed: Mapping[str, Any]) -> Port:
    return Port(listed["name"], listed["dtype"], tuple(listed["shape"]))


def _validation(report: ValidationReport) -> dict[str, Any]:
    return {
        "atol": report.tolerance.atol,
        "rtol": report.tolerance.rtol,
        "max_abs_error": json_number(report.max_abs_error),
        "problem": report.problem,
        "cases": [
            {
                "file": case.file or DEFAULT_FILE,
                "case": case.case.name,
                "problem": case.problem,
                "outputs": [output.as_dict() for output in case.outputs],
            }
            for case in report.cases
        ],
        "generation": [
            {
                **vars(told),
                "files": list(told.files),
                "max_abs_error": json_number(told.max_abs_error),
                "allowed": json_number(told.allowed),
            }
            for told in report.generation
        ],
    }


def summary(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a person wants to know of a manifest, as (label, value) rows."""
    graphs = manifest["graphs"]
    cases = manifest["validation"]["cases"]
    error = manifest["validation"]["max_abs_error"]
    agreed = sum(not case["problem"] and not any(o["problem"] for o in case["outputs"]) for case in cases)
    size = sum(file["bytes"] for name, file in manifest["files"].items() if name.split(".")[-1].startswith("onnx"))
    nodes = ", ".join(
        f"{graph['nodes']} nodes" + (f" in {name}" if len(graphs) > 1 else "") for name, graph in graphs.items()
    )
    return [
        ("model", f"{manifest['source']['model_class']}, {manifest['feature']}"),
        *([("loaded by", manifest["source"]["loaded_by"])] if manifest["source"].get("loaded_by") else []),
        ("framework", manifest["framework"]["reason"]),
        ("exporter", f"{manifest['exporter']}, opset {manifest['opset']}, {nodes}"),
        *_ports_summary(graphs),
        ("size", f"{size / 1e6:.1f} MB"),
        (
            "validated",
            f"{'yes' if manifest['validated'] else 'NO'}, {agreed} of {len(cases)} cases"
            + ("" if error is None else f", largest error {error:.2g}"),
        ),
        *(("generated", _generation_summary(told)) for told in manifest["validation"]["generation"]),
        *(("caveat", caveat) for caveat in manifest["caveats"]),
        ("time", ", ".join(f"{name} {stage['seconds']:.1f} s" for name, stage in manifest["stages"].items())),
    ]


def _ports_summary(graphs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Inputs and outputs of each graph; a cache is told once, not tensor by tensor."""
    rows = []
    for name, graph in graphs.items():
        where = f" of {name}" if len(graphs) > 1 else ""
        for side in ("inputs", "outputs"):
            ports = [p for p in graph[side] if not p["name"].startswith((PAST, PRESENT))]
            cached = [p for p in graph[side] if p["name"].startswith((PAST, PRESENT))]
            told = [f"{p['name']}[{', '.join(map(str, p['shape']))}]" for p in ports]
            if cached:
                told.append(f"{len(cached)} tensors {cached[0]['name'].split('.')[0]}")
            rows.append((f"{side}{where}", ", ".join(told)))
    return rows


def _generation_summary(told: Mapping[str, Any]) -> str:
    verdict = f"NO: {told['problem']}" if told["problem"] else f"largest error of a logit {told['max_abs_error']:.2g}"
    return f"{told['steps']} tokens after {told['prompt']}, {told['batch']} rows, {', '.join(told['files'])}: {verdict}"
