"""The line: from a checkpoint to a validated, published directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfexport.checkpoints.framework import FrameworkChoice
from tfexport.checkpoints.signature import Length, signature_options
from tfexport.errors import ConversionError, MissingWeightsError, ValidationError, abbreviate
from tfexport.graph import OnnxGraph
from tfexport.pipeline.conversion import Example, convert, no_route, run_example, weights_read, write
from tfexport.pipeline.genai import check_genai, write_genai_config
from tfexport.pipeline.manifest import describe
from tfexport.pipeline.plan import Attempt, Plan, Source, load_source, make_plan
from tfexport.pipeline.publishing import publish, staged
from tfexport.pipeline.sidecar_files import write_sidecar_files
from tfexport.pipeline.stages import Stages
from tfexport.validation import ValidationReport
from tfexport.validation.exported_files import validate_files


@dataclass(frozen=True)
class ExportResult:
    """What an export did.

    Attributes:
        path: the published directory.
        valid: whether the file agrees with its source on every case.
        choice: the framework that exported, with its reason.
        report: every validation case.
        manifest: what ``tfexport.json`` holds.
    """

    path: Path
    valid: bool
    choice: FrameworkChoice
    report: ValidationReport
    manifest: Mapping[str, Any]


def export_checkpoint(
    model: Any,
    output: str | Path,
    *,
    feature: str = "default",
    framework: str | None = None,
    opset: int | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    cache_dir: str | Path | None = None,
    preprocessor: str = "auto",
    model_type: str | None = None,
    allow_missing_weights: bool = False,
    keep_invalid: bool = False,
    monolith: bool = False,
    genai: bool = False,
    trust: bool = False,
    signature: str | None = None,
    tag: str | None = None,
    input_shapes: Mapping[str, Sequence[Length]] | None = None,
    axis_names: Mapping[str, Mapping[int, str] | Sequence[str | None]] | None = None,
    inputs_as_nchw: Sequence[str] = (),
    outputs_as_nchw: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> ExportResult:
    """Export a checkpoint: inspect, load, convert, write, validate, publish.

    Args:
        model: a checkpoint folder, or a hub id; a ``.keras`` or a whole-model ``.h5`` file; a SavedModel or a KerasHub preset
            directory; a Keras model or a ``tf.function`` in Python.
        output: the directory to publish; new, empty, or an earlier export, which is replaced in one step.
        feature: what to export, for example ``"masked-lm"``, or its name in optimum, ``"fill-mask"``; ``"auto"`` for
            what the checkpoint's own class computes.
        framework: ``"pt"`` or ``"tf"``; None: what the checkpoint is, else what is installed.
        opset: version of the ONNX operator set; None for the declaration's default.
        atol: absolute tolerance of the validation; None for the declaration's.
        rtol: tolerance relative to the largest magnitude of an output; None for 2e-5.
        cache_dir: where transformers keeps what it downloads.
        preprocessor: which preprocessor to load: auto, tokenizer, feature_extractor, image_processor or processor.
        model_type: the model type, for a configuration that names none.
        allow_missing_weights: export weights that the checkpoint lacks as they were initialised.
        keep_invalid: publish a file that fails validation, with ``"validated": false`` in its manifest.
        monolith: one ``model.onnx`` of an encoder-decoder that generates, as ``transformers.onnx`` has it, in place of the
            encoder and the decoders that clients load.
        genai: write ``genai_config.json`` beside a decoder alone with a cache, for onnxruntime-genai.
        trust: run the code in what is loaded: Lambda layers, SavedModels. What follows is for models that declare themselves,
            which are those that are not of transformers.
        signature: of a SavedModel; None for ``"serving_default"``, else the only one.
        tag: of a SavedModel's graph; None for ``"serve"``.
        input_shapes: by input, a length an axis: a number is fixed, None is dynamic, a name is dynamic and called so.
        axis_names: by input or output, names of its dynamic axes.
        inputs_as_nchw: inputs that the file takes as ``(batch, channels, height, width)``, where the model wants channels last.
        outputs_as_nchw: outputs that the file gives so.
        progress: called with the name of each stage as it begins.

    Returns:
        The result, with the manifest.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        FrameworkError: the framework cannot be used.
        UnsupportedError: no declaration for this model type or feature, or `genai` for what is not a decoder alone.
        ConversionError: no valid graph came out.
        ValidationError: the file disagrees with its source, and `keep_invalid` is not set.
        OutputError: the directory cannot be written or published.
    """
    stages = Stages(progress)
    options = signature_options(
        trust=trust,
        signature=signature,
        tag=tag,
        input_shapes=input_shapes,
        axis_names=axis_names,
        inputs_as_nchw=inputs_as_nchw,
        outputs_as_nchw=outputs_as_nchw,
    )
    with stages.stage("inspect"):
        plan = make_plan(
            model,
            feature=feature,
            framework=framework,
            opset=opset,
            atol=atol,
            rtol=rtol,
            cache_dir=cache_dir,
            model_type=model_type,
            monolith=monolith,
            options=options,
        )
        if genai:
            check_genai(plan)
    with staged(output) as folder:
        with stages.stage("load"):
            source = load_source(plan, preprocessor)
        attempts = _attempts(plan, source, folder, allow_missing_weights, stages)
        best = _best(attempts, keep_invalid)
        with stages.stage("publish"):
            write_sidecar_files(plan.checkpoint, source.loaded.model, source.preprocessor.value, folder)
            if genai:
                write_genai_config(plan, source.loaded.model, best.graphs["model"].contract, folder)
            manifest = publish(folder, output, describe(plan, source, best, attempts, stages))
    assert best.report is not None
    return ExportResult(Path(output).expanduser().absolute(), best.valid, plan.choice, best.report, manifest)


def _attempts(plan: Plan, source: Source, folder: Path, allow_missing_weights: bool, stages: Stages) -> list[Attempt]:
    """Try the backend's exporters, best first, until the files are valid. Later files replace earlier ones."""
    references = source.references(plan)
    attempts: list[Attempt] = []
    examples: dict[str, Example] = {}
    for route in source.backend.routes(plan.config):
        try:
            with stages.stage("convert"):
                examples = examples or {name: run_example(reference) for name, reference in references.items()}
                graphs = convert(references, examples, plan.opset, route)
        except ConversionError as error:
            attempts.append(Attempt(route, failure=error))
            continue
        _check_weights(plan, source, graphs, allow_missing_weights)
        with stages.stage("write"):
            files = write(graphs, folder)
        with stages.stage("validate"):
            report = validate_files(files, graphs, references, plan.tolerance)
        attempts.append(Attempt(route, graphs, files, report))
        if report.passed:
            break
    return attempts


def _check_weights(plan: Plan, source: Source, graphs: Mapping[str, OnnxGraph], allow_missing_weights: bool) -> None:
    """Refuse graphs that read weights which the checkpoint did not hold. Those they do not read may be missing."""
    missing = sorted(source.loaded.lacking(weights_read(graphs)))
    if missing and not allow_missing_weights:
        raise MissingWeightsError(missing, model_class=source.loaded.model_class, source=plan.checkpoint.source)


def _best(attempts: list[Attempt], keep_invalid: bool) -> Attempt:
    """The attempt whose file is on disk.

    Raises:
        ConversionError: no exporter wrote a file.
        ValidationError: the file is not valid, and is not to be kept.
    """
    written = [attempt for attempt in attempts if attempt.files]
    if not written:
        raise no_route([(attempt.route, attempt.failure) for attempt in attempts if attempt.failure is not None])
    best = written[-1]
    if not best.valid and not keep_invalid:
        raise ValidationError(
            "the exported file disagrees with its source, so it was not published: "
            f"{abbreviate(best.problems, 4)}. --keep-invalid (keep_invalid=True) publishes it all the same."
        )
    return best
