"""The manifest of an exported directory: its source, its graphs, and the validation of each file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tfexport.backends import LoadedModel
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.dummy_inputs import PAST, PRESENT
from tfexport.graph import Contract, OnnxFiles, OnnxGraph, Port
from tfexport.pipeline.attempts import Attempt, WrittenAttempt
from tfexport.pipeline.caveats import caveats_of
from tfexport.pipeline.conversion import weights_read
from tfexport.pipeline.preparation import Prepared
from tfexport.pipeline.publishing import MODEL as DEFAULT_FILE
from tfexport.pipeline.stages import Stages
from tfexport.pipeline.variants import ValidatedVariant
from tfexport.text import size_text
from tfexport.validation import ValidationReport, json_number

SCHEMA_VERSION = 1
_SIDES = ("inputs", "outputs")

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
    """Return the versions of those packages that an export depends on and that are installed."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe(prepared: Prepared, best: WrittenAttempt, attempts: Sequence[Attempt], stages: Stages) -> dict[str, Any]:
    """Return the manifest without the list of files, which `tfexport.pipeline.publishing.publish` adds.

    Args:
        prepared: The model, with its plan and its declaration.
        best: The attempt whose files are published.
        attempts: All attempts, in order.
        stages: The stages, with their times.
    """
    graphs, files, report = best.graphs, best.files, best.report
    opsets = {graph.opset for graph in graphs.values()}
    assert len(opsets) == 1
    plan, declared, loaded = prepared.plan, prepared.declared, prepared.loaded
    checkpoint, choice = plan.checkpoint, plan.choice
    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": {
            "checkpoint": checkpoint.source,
            "kind": checkpoint.kind.name,
            "model_type": plan.model_type,
            "model_class": loaded.model_class,
            **(_declared_by_itself(loaded, checkpoint) if checkpoint.kind.declares_itself else {}),
            "sha256": checkpoint.sha256(choice.weights),
            "missing_weights": sorted(loaded.lacking(weights_read(graphs))),
        },
        "framework": {"name": choice.framework, "reason": choice.reason, "weights_from": choice.weights},
        "feature": plan.feature,
        "opset": opsets.pop(),
        "exporter": best.route,
        "attempts": [{"exporter": attempt.route, "problems": list(attempt.problems)} for attempt in attempts],
        "caveats": [*declared.caveats, *caveats_of(plan, loaded.model, graphs)],
        "values_override": dict(declared.config.values_override or {}),
        "preprocessor": prepared.preprocessor.kind,
        "graphs": _graphs(graphs, files)
        | {name: graph for each in best.variants for name, graph in _graphs(graphs, each.variant.files).items()},
        "validated": best.valid,
        "validation": _validation(report),
        **(
            {"variants": {each.variant.transform: _variant(each, files) for each in best.variants}}
            if best.variants
            else {}
        ),
        "stages": {
            name: {"seconds": round(seconds, 3), "peak_rss_mib": round(stages.peak_rss_mib[name], 1)}
            for name, seconds in stages.seconds.items()
        },
        "versions": installed_versions(),
    }


def _declared_by_itself(loaded: LoadedModel, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the Keras that loaded a model that declares itself, and the user's options for it."""
    return {"loaded_by": loaded.loaded_by, "options": checkpoint.options.as_dict()}


def _graphs(graphs: Mapping[str, OnnxGraph], files: Mapping[str, OnnxFiles]) -> dict[str, Any]:
    return {files[name].model.name: _graph(graph, files[name]) for name, graph in graphs.items()}


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


def _variant(validated: ValidatedVariant, files: Mapping[str, OnnxFiles]) -> dict[str, Any]:
    """Return the part of the manifest about one variant: the file that each of its files is made from, and the validation."""
    made = validated.variant.files
    return {
        "files": {made[name].model.name: files[name].model.name for name in files},
        "validated": validated.report.passed,
        "validation": _validation(validated.report, next(iter(made.values())).model.name),
    }


def contracts_of(manifest: Mapping[str, Any]) -> dict[str, Contract]:
    """Return the contract of each file of a manifest, by the file's name without ``.onnx``.

    A graph whose inputs or outputs are not listed has none.
    """
    return {
        Path(name).stem: Contract(*(tuple(map(_port, graph[side])) for side in _SIDES))
        for name, graph in manifest.get("graphs", {}).items()
        if all(side in graph for side in _SIDES)
    }


def _port(listed: Mapping[str, Any]) -> Port:
    return Port(listed["name"], listed["dtype"], tuple(listed["shape"]))


def _validation(report: ValidationReport, only_file: str = DEFAULT_FILE) -> dict[str, Any]:
    return {
        "atol": report.tolerance.atol,
        "rtol": report.tolerance.rtol,
        "max_abs_error": json_number(report.max_abs_error),
        "problem": report.problem,
        "cases": [
            {
                "file": case.file or only_file,
                "case": case.case.name,
                "problem": case.problem,
                "outputs": [output.as_dict() for output in case.outputs],
            }
            for case in report.cases
        ],
        "generation": [text.as_dict() for text in report.generation],
    }


def summary(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a person reads of a manifest, as (label, value) rows."""
    variants = manifest.get("variants", {})
    of_variants = {name for variant in variants.values() for name in variant["files"]}
    graphs = {name: graph for name, graph in manifest["graphs"].items() if name not in of_variants}
    size = sum(file["bytes"] for name, file in manifest["files"].items() if name.split(".")[-1].startswith("onnx"))
    nodes = ", ".join(
        f"{graph['nodes']} nodes" + (f" in {name}" if len(graphs) > 1 else "") for name, graph in graphs.items()
    )
    return [
        ("model", _model_summary(manifest["source"], manifest["feature"])),
        *([("loaded by", manifest["source"]["loaded_by"])] if manifest["source"].get("loaded_by") else []),
        ("framework", manifest["framework"]["reason"]),
        ("exporter", f"{manifest['exporter']}, opset {manifest['opset']}, {nodes}"),
        *_ports_summary(graphs),
        ("size", size_text(size)),
        ("validated", _validation_summary(manifest["validation"], manifest["validated"])),
        *(("variant", _variant_summary(name, variant)) for name, variant in variants.items()),
        *(("generated", _generation_summary(text)) for text in manifest["validation"]["generation"]),
        *(("caveat", caveat) for caveat in manifest["caveats"]),
        ("time", ", ".join(f"{name} {stage['seconds']:.1f} s" for name, stage in manifest["stages"].items())),
    ]


def _model_summary(source: Mapping[str, Any], feature: str) -> str:
    """Return the class and the feature; a model that declares itself has no features."""
    return source["model_class"] if source["model_type"] is None else f"{source['model_class']}, {feature}"


def _ports_summary(graphs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a row for the inputs and one for the outputs of each graph; the tensors of a cache are counted, not listed."""
    rows = []
    for name, graph in graphs.items():
        where = f" of {name}" if len(graphs) > 1 else ""
        for side in ("inputs", "outputs"):
            cached = [port["name"] for port in graph[side] if port["name"].startswith((PAST, PRESENT))]
            listed = [
                f"{port['name']}[{', '.join(map(str, port['shape']))}]"
                for port in graph[side]
                if port["name"] not in cached
            ]
            if cached:
                listed.append(f"{len(cached)} tensors {cached[0].split('.')[0]}")
            rows.append((f"{side}{where}", ", ".join(listed)))
    return rows


def _agreeing(validation: Mapping[str, Any]) -> int:
    """Return the number of cases in which all outputs agree."""
    return sum(not case["problem"] and not any(o["problem"] for o in case["outputs"]) for case in validation["cases"])


def _validation_summary(validation: Mapping[str, Any], valid: bool) -> str:
    error = validation["max_abs_error"]
    return f"{'yes' if valid else 'NO'}, {_agreeing(validation)} of {len(validation['cases'])} cases" + (
        "" if error is None else f", largest error {error:.2g}"
    )


def _variant_summary(name: str, variant: Mapping[str, Any]) -> str:
    files = ", ".join(variant["files"])
    return f"{name}, {files}: {_validation_summary(variant['validation'], variant['validated'])}"


def _generation_summary(text: Mapping[str, Any]) -> str:
    result = f"NO: {text['problem']}" if text["problem"] else f"largest error of a logit {text['max_abs_error']:.2g}"
    return f"{text['steps']} tokens after {text['prompt']}, {text['batch']} rows, {', '.join(text['files'])}: {result}"
