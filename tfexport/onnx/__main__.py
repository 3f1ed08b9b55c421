"""``python -m tfexport.onnx``, with the arguments of ``python -m transformers.onnx``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from tfexport.checkpoints.framework import FRAMEWORKS
from tfexport.checkpoints.preprocessor import PREPROCESSOR_KINDS
from tfexport.errors import ValidationError
from tfexport.pipeline.export import ExportResult, export_model
from tfexport.pipeline.options import ExportKeywords, export_options
from tfexport.pipeline.plan import ConfiguredPlan, make_plan
from tfexport.processes.command import command_process, one_line
from tfexport.processes.streams import quiet
from tfexport.text import printable

DONE, INVALID, BAD_INPUT = 0, 1, 2
_IN_PARTS = ("vision2seq-lm",)
"""Features that ``transformers.onnx`` writes as an encoder and a decoder; it writes all others as one ``model.onnx``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Export a checkpoint by the arguments of the command line.

    Returns:
        Exit code: 0 for a validated export, 1 for a file that disagrees with its source, 2 for arguments or a checkpoint that
        cannot be used.
    """
    options = vars(_parser().parse_args(arguments))
    with command_process(), quiet(False) as screen:
        try:
            result = _export(**options)
        except Exception as error:  # the process boundary
            screen.err.write(f"error: {one_line(error)}\n")
            return INVALID if isinstance(error, ValidationError) else BAD_INPUT
        files = [name for name in result.manifest["files"] if name.endswith(".onnx")]
        said = f"Exported and validated: {', '.join(str(result.path / name) for name in files)}"
        screen.err.write(f"{printable(said)}\n")
    return DONE


def _export(
    model: str,
    output: Path,
    feature: str,
    framework: str | None,
    opset: int | None,
    atol: float | None,
    cache_dir: str | None,
    preprocessor: str,
    export_with_transformers: bool,
) -> ExportResult:
    options: ExportKeywords = {
        "feature": feature,
        "framework": framework,
        "opset": opset,
        "atol": atol,
        "cache_dir": cache_dir,
        "preprocessor": preprocessor,
    }
    plan = make_plan(model, export_options(**options))
    in_parts = isinstance(plan, ConfiguredPlan) and len(plan.declared.parts) > 1
    options["monolith"] = in_parts and feature not in _IN_PARTS
    return export_model(model, output, **options)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "tfexport.onnx", description="Export a checkpoint to ONNX, with the arguments of transformers.onnx."
    )
    parser.add_argument("-m", "--model", required=True, help="Checkpoint folder, or id on the Hugging Face hub.")
    parser.add_argument("--feature", default="default", help="Feature to export.")
    parser.add_argument("--opset", type=int, help="Version of the ONNX operator set.")
    parser.add_argument("--atol", type=float, help="Absolute tolerance of the validation.")
    parser.add_argument(
        "--framework", choices=FRAMEWORKS, help="Framework of the export; the checkpoint's own by default."
    )
    parser.add_argument("output", type=Path, help="Directory to publish.")
    parser.add_argument("--cache_dir", help="Folder in which transformers keeps downloads.")
    parser.add_argument(
        "--preprocessor", choices=PREPROCESSOR_KINDS, default="auto", help="Kind of preprocessor to load."
    )
    parser.add_argument(
        "--export_with_transformers", action="store_true", help="Accepted for compatibility; it changes nothing."
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
