"""The export: from a model to a validated, published directory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from tfexport.checkpoints.framework import FrameworkChoice
from tfexport.errors import ConversionError, MissingWeightsError, ValidationError, abbreviate
from tfexport.graph import OnnxFiles, OnnxGraph
from tfexport.keywords import path
from tfexport.pipeline.attempts import Attempt, FailedAttempt, WrittenAttempt
from tfexport.pipeline.conversion import Example, convert, no_route, run_example, weights_read, write
from tfexport.pipeline.genai import check_genai, write_genai_config
from tfexport.pipeline.manifest import describe
from tfexport.pipeline.options import ExportKeywords, ExportOptions, export_options
from tfexport.pipeline.plan import ConfiguredPlan, make_plan
from tfexport.pipeline.preparation import Prepared, prepare
from tfexport.pipeline.publishing import publish
from tfexport.pipeline.sidecar_files import write_sidecar_files
from tfexport.pipeline.stages import Stages
from tfexport.pipeline.staging import staged
from tfexport.pipeline.variants import Variant, make_variants, validate_variants
from tfexport.runtime.errors import import_runtime
from tfexport.validation import ValidationReport, validate_files


@dataclass(frozen=True)
class ExportResult:
    """The result of an export.

    Attributes:
        path: The published directory.
        valid: Whether the files agree with their source on every case.
        choice: The framework that exported, with its reason.
        report: The validation, case by case.
        manifest: Content of ``tfexport.json``.
    """

    path: Path
    valid: bool
    choice: FrameworkChoice
    report: ValidationReport
    manifest: Mapping[str, Any]


def export_model(
    model: Any,
    output: str | Path,
    *,
    progress: Callable[[str], None] | None = None,
    **options: Unpack[ExportKeywords],
) -> ExportResult:
    """Export a model: inspect, load, convert, write, validate, publish. `export_checkpoint` is the same function.

    Args:
        model: A checkpoint folder, or a hub id; a ``.keras`` or a whole-model ``.h5`` file; a SavedModel or a KerasHub preset
            directory; a Keras model or a ``tf.function`` in Python.
        output: The directory to publish: new, empty, or an earlier export, which is replaced in one step.
        progress: Called with the name of each stage as it begins.

    Keyword Args:
        feature (str): Feature to export, for example ``"masked-lm"``, or its name in optimum, ``"fill-mask"``; ``"auto"`` for
            the feature of the checkpoint's own class.
        framework (str | None): ``"pt"`` or ``"tf"``; None for the checkpoint's own framework, else an installed one.
        model_type (str | None): Model type, for a configuration that does not name one.
        preprocessor (str): Kind of preprocessor to load: auto, tokenizer, feature_extractor, image_processor or processor.
        cache_dir (str | Path | None): Folder in which transformers keeps downloads.
        opset (int | None): Version of the ONNX operator set; None for the declaration's default.
        monolith (bool): Write an encoder-decoder that generates as one ``model.onnx``, as ``transformers.onnx`` does, in place
            of the encoder and the decoders that clients load.
        genai (bool): Write ``genai_config.json`` beside a decoder-only model with a cache, for onnxruntime-genai.
        atol (float | None): Absolute tolerance of the validation; None for the declaration's.
        rtol (float | None): Tolerance relative to the largest magnitude of an output; None for 2e-5.
        allow_missing_weights (bool): Export weights that the checkpoint lacks as they were initialised.
        keep_invalid (bool): Publish a file that fails validation, with ``"validated": false`` in its manifest.
        trust (bool): Run the code in the model: Lambda layers, SavedModels. This option and those below are for models that
            declare themselves, that is, for all models that are not of transformers.
        signature (str | None): Signature of a SavedModel; None for ``"serving_default"``, else the only one.
        tag (str | None): Tag of a SavedModel's graph; None for ``"serve"``.
        input_shapes (Mapping[str, Sequence[int | str | None]]): Lengths of the axes of an input, by its name: a number is
            fixed, None is dynamic, a name is dynamic under that name.
        axis_names (Mapping[str, Mapping[int, str] | Sequence[str | None]]): Names of dynamic axes, by input or output.
        inputs_as_nchw (Iterable[str]): Inputs that the file takes as ``(batch, channels, height, width)``, where the model
            wants channels last.
        outputs_as_nchw (Iterable[str]): Outputs that the file returns as ``(batch, channels, height, width)``.

    Returns:
        The result, with the manifest.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime, which validates the files, is not installed.
        CheckpointError: The checkpoint cannot be used.
        FrameworkError: The framework cannot be used.
        UnsupportedError: This model type or feature has no declaration, or `genai` does not apply to it.
        InputsError: An option is not valid, or the model fails on all inputs that were tried.
        ConversionError: The model cannot be converted to a valid graph, or not at this opset.
        ValidationError: The file disagrees with its source, and `keep_invalid` is not set.
        OutputError: The directory cannot be written or published.
    """
    return export_with(model, path("output", output), export_options(**options), progress)


export_checkpoint = export_model
"""The older name of `export_model`; it remains."""


def export_with(
    model: Any, output: str | Path, options: ExportOptions, progress: Callable[[str], None] | None = None
) -> ExportResult:
    """Export a model by options that are validated already. See `export_model`."""
    import_runtime()
    stages = Stages(progress)
    with stages.stage("inspect"):
        plan = make_plan(model, options)
        if options.writing.genai:
            check_genai(plan)
    with staged(output, plan.checkpoint.path) as folder:
        prepared = prepare(plan, stages)
        attempts, on_disk = _attempts(prepared, folder, stages)
        best = _best(attempts, on_disk, options.acceptance.keep_invalid)
        with stages.stage("publish"):
            _write_beside(prepared, best, folder)
            manifest = publish(folder, output, describe(prepared, best, attempts, stages))
    return ExportResult(Path(output).expanduser().absolute(), best.valid, plan.choice, best.report, manifest)


def _attempts(prepared: Prepared, folder: Path, stages: Stages) -> tuple[list[Attempt], WrittenAttempt | None]:
    """Try the backend's exporters, best first, until the files are valid. Later files replace earlier ones.

    Returns:
        All attempts, and the one whose files are in the folder; None where the last exporter that wrote could not be finished.
    """
    attempts: list[Attempt] = []
    on_disk: WrittenAttempt | None = None
    examples: dict[str, Example] = {}
    references = prepared.references()
    for route in prepared.backend.routes(prepared.declared.config):
        try:
            with stages.stage("convert"):
                examples = examples or {name: run_example(reference) for name, reference in references.items()}
                graphs = convert(references, examples, prepared.declared.opset, route)
        except ConversionError as error:
            attempts.append(FailedAttempt(route, error))
            continue
        _check_weights(prepared, graphs)
        on_disk = None
        with stages.stage("write"):
            _clear(folder)
            files = write(graphs, folder)
        try:
            variants = _transformed(prepared, files, folder, stages)
        except ConversionError as error:
            attempts.append(FailedAttempt(route, error))
            continue
        with stages.stage("validate"):
            report = validate_files(files, graphs, references, prepared.declared.tolerance)
            validated = validate_variants(variants, graphs, references)
        on_disk = WrittenAttempt(route, graphs, files, report, validated)
        attempts.append(on_disk)
        if on_disk.valid:
            break
    return attempts, on_disk


def _clear(folder: Path) -> None:
    """Remove the files of an earlier exporter, and their variants."""
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()


def _transformed(
    prepared: Prepared, files: Mapping[str, OnnxFiles], folder: Path, stages: Stages
) -> tuple[Variant, ...]:
    """Make the variants of files; an export without transforms does not have this stage."""
    if not prepared.plan.transforms:
        return ()
    with stages.stage("transform"):
        return make_variants(prepared.plan.transforms, files, folder, prepared.declared.tolerance)


def _check_weights(prepared: Prepared, graphs: Mapping[str, OnnxGraph]) -> None:
    """Refuse graphs that read weights which the checkpoint lacks. Weights that they do not read may be missing."""
    plan, loaded = prepared.plan, prepared.loaded
    missing = sorted(loaded.lacking(weights_read(graphs)))
    if missing and not plan.options.acceptance.allow_missing_weights:
        raise MissingWeightsError(missing, model_class=loaded.model_class, source=plan.checkpoint.source)


def _best(attempts: Sequence[Attempt], on_disk: WrittenAttempt | None, keep_invalid: bool) -> WrittenAttempt:
    """Return the attempt whose files are on disk.

    Raises:
        ConversionError: No exporter wrote files that are still there.
        ValidationError: The files are not valid, and are not to be kept.
    """
    if on_disk is None:
        raise no_route([(each.route, each.failure) for each in attempts if isinstance(each, FailedAttempt)])
    if not on_disk.valid and not keep_invalid:
        raise ValidationError(
            "the exported file disagrees with its source, so it was not published: "
            f"{abbreviate(on_disk.problems, 4)}. --keep-invalid (keep_invalid=True) publishes it all the same."
        )
    return on_disk


def _write_beside(prepared: Prepared, best: WrittenAttempt, folder: Path) -> None:
    """Write the files that clients read beside the model."""
    plan, model = prepared.plan, prepared.loaded.model
    if isinstance(plan, ConfiguredPlan):
        write_sidecar_files(plan, model, prepared.preprocessor.value, folder)
    if plan.options.writing.genai:
        write_genai_config(prepared.declared.config, model, best.graphs["model"].contract, folder)
