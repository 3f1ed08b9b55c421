"""Measure the memory and time that an export requires beside the loaded model, and the same of stock tf2onnx where it survives.

    python -m benchmarks.export_memory                    # every case, each in a process of its own
    python -m benchmarks.export_memory bert-base gpt2-xl  # only some of them

Each case builds a model of the named shape with random weights, reads the resident memory, resets its peak, and exports:
it converts and writes, without validation. The difference between peak and resident memory is the cost of the export.
Then a new process loads the files in ONNX Runtime and runs them. An encoder-decoder is exported in parts with a cache, and
its files are searched for weights that are stored twice. Stock is ``tf2onnx.convert.from_keras``, with the Erfc handler that
it lacks.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.written_weights import inspect
from tfexport.benchmark.environment import machine
from tfexport.benchmark.memory import peak_mib, reset_peak, resident_mib
from tfexport.declarations.parts import parts_of

RESULTS = Path(__file__).parent / "results" / "export_memory.json"


@dataclass(frozen=True)
class Shape:
    """A model's shape.

    Attributes:
        model_type: Model type of the declaration.
        feature: Feature of the declaration.
        classes: Name of the class, by framework.
        sizes: Arguments of the configuration that differ from its defaults.
        frameworks: Frameworks to export from.
        stock: Whether stock tf2onnx survives the export on 24 GB.
    """

    model_type: str
    feature: str
    classes: dict[str, str]
    sizes: dict[str, int]
    frameworks: tuple[str, ...] = ("tf", "pt")
    stock: bool = False


BERT = {"tf": "TFBertModel", "pt": "BertModel"}
GPT2 = {"tf": "TFGPT2LMHeadModel", "pt": "GPT2LMHeadModel"}
T5 = {"tf": "TFT5ForConditionalGeneration", "pt": "T5ForConditionalGeneration"}
IN_PARTS = "seq2seq-lm-with-past"
SHAPES = {
    "bert-tiny": Shape(
        "bert",
        "default",
        BERT,
        {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512},
        stock=True,
    ),
    "bert-mini": Shape(
        "bert",
        "default",
        BERT,
        {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024},
        stock=True,
    ),
    "bert-base": Shape("bert", "default", BERT, {}),
    "gpt2": Shape("gpt2", "causal-lm", GPT2, {}),
    "gpt2-xl": Shape("gpt2", "causal-lm", GPT2, {"n_embd": 1600, "n_layer": 48, "n_head": 25}),
    "t5-small": Shape("t5", IN_PARTS, T5, {}),
    "t5-base": Shape("t5", IN_PARTS, T5, {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", help=f"shapes: {', '.join(SHAPES)}; all by default")
    parser.add_argument("--exporter", choices=("tf", "pt", "stock"), help="only this exporter")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        print(json.dumps(load(arguments.load)))
    elif arguments.child:
        print(json.dumps(measure(arguments.shapes[0], arguments.exporter)))
    else:
        report(arguments.shapes or list(SHAPES), arguments.exporter)


def report(names: list[str], only: str | None) -> None:
    """Measure, print the table, and write the results."""
    rows = []
    for name in names:
        shape = SHAPES[name]
        for exporter in (*shape.frameworks, *(("stock",) if shape.stock else ())):
            if only in (None, exporter):
                row = child(name, exporter)
                rows.append(row)
                print(line(row), flush=True)
    kept = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    measured = {(row["shape"], row["exporter"]) for row in rows}
    rows = [row for row in kept if (row["shape"], row["exporter"]) not in measured] + rows
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"environment": machine(), "rows": rows}, indent=1) + "\n")


def child(name: str, exporter: str) -> dict[str, Any]:
    """Measure one case in a process of its own. If the process is killed, that is the result."""
    command = [sys.executable, "-m", "benchmarks.export_memory", name, "--exporter", exporter, "--child"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"shape": name, "exporter": exporter, "failed": f"exit code {done.returncode}: {last}"}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def measure(name: str, exporter: str) -> dict[str, Any]:
    """Measure one case in this process."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    shape = SHAPES[name]
    model, config = build(shape, "pt" if exporter == "pt" else "tf")
    weights = weight_bytes(model, exporter)
    warm_up(exporter)
    gc.collect()
    before = resident_mib()
    phases = Phases(before)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name_of_folder:
        folder = Path(name_of_folder)
        start = time.perf_counter()
        if exporter == "stock":
            with phases.phase("convert and write"):
                stock(model, folder / "model.onnx")
        else:
            ours(model, config, shape, exporter, folder, phases)
        seconds = time.perf_counter() - start
        size = sum(written.stat().st_size for written in folder.iterdir())
        parts = {"written": inspect(folder)} if shape.feature == IN_PARTS else {}
        loaded = {file.name: loads(file) for file in sorted(folder.glob("*.onnx"))}
    return {
        "shape": name,
        "exporter": exporter,
        "weights_mib": round(weights / 2**20, 1),
        "loaded_rss_mib": round(before, 1),
        "peak_above_loaded_mib": round(max(phase["peak_above_loaded_mib"] for phase in phases.measured.values()), 1),
        "phases": phases.measured,
        "seconds": round(seconds, 1),
        "file_mib": round(size / 2**20, 1),
        **parts,
        "onnxruntime": loaded,
    }


class Phases:
    """Peaks of memory by phase.

    Args:
        before: Resident memory to subtract from them, in MiB.
    """

    def __init__(self, before: float) -> None:
        self._before = before
        self.measured: dict[str, dict[str, float]] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure one phase."""
        reset_peak()
        start = time.perf_counter()
        yield
        self.measured[name] = {
            "peak_above_loaded_mib": round(peak_mib() - self._before, 1),
            "left_above_loaded_mib": round(resident_mib() - self._before, 1),
            "seconds": round(time.perf_counter() - start, 1),
        }


def build(shape: Shape, framework: str) -> tuple[Any, Any]:
    """Return the model with random weights, and its configuration."""
    import transformers

    config = transformers.CONFIG_MAPPING[shape.model_type](**shape.sizes)
    config._attn_implementation = "eager"
    model = getattr(transformers, shape.classes[framework])(config)
    if framework == "tf":
        model.build_in_name_scope()
    else:
        model.eval()
    return model, config


def weight_bytes(model: Any, exporter: str) -> int:
    """Return the size of the weights in bytes; tied weights count once."""
    if exporter == "pt":
        return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    return sum(weight.shape.num_elements() * weight.dtype.size for weight in model.weights)


def warm_up(exporter: str) -> None:
    """Import the packages of the exporter, which are not part of the cost of an export."""
    if exporter == "stock":
        import tf2onnx.convert  # noqa: F401
    else:
        import tfexport.pipeline.conversion  # noqa: F401
        from tfexport.backends import get_backend

        get_backend(exporter)


def ours(model: Any, config: Any, shape: Shape, exporter: str, folder: Path, phases: Phases) -> None:
    """Convert and write with tfexport by the best route, in parts if the model has them."""
    from tfexport import FeaturesManager
    from tfexport.backends import get_backend
    from tfexport.pipeline.conversion import convert, run_example, write
    from tfexport.validation import Reference

    declaration = FeaturesManager.get_config(shape.model_type, shape.feature)(config)
    backend = get_backend(exporter)
    references = {name: Reference(backend, model, part) for name, part in parts_of(declaration).items()}
    route = backend.routes(declaration)[0]
    with phases.phase("run"):
        examples = {name: run_example(reference) for name, reference in references.items()}
    with phases.phase("convert"):
        graphs = convert(references, examples, declaration.default_onnx_opset, route)
    with phases.phase("write"):
        write(graphs, folder)


def stock(model: Any, file: Path) -> None:
    """Convert and write with tf2onnx's own entry point, as ``transformers.onnx`` did."""
    import tensorflow as tf
    import tf2onnx

    from tfexport.backends.tensorflow.ops import HANDLERS

    names = ("input_ids", "attention_mask", "token_type_ids")
    signature = [{name: tf.TensorSpec([None, None], tf.int32, name=name) for name in names}]
    tf2onnx.convert.from_keras(
        model, signature, opset=18, output_path=str(file), custom_op_handlers={"Erfc": HANDLERS["Erfc"]}
    )


def loads(file: Path) -> dict[str, Any]:
    """Run `load` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.export_memory", "--load", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{file.name} does not load or run: {(done.stderr.strip().splitlines() or [''])[-1]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def load(file: Path) -> dict[str, Any]:
    """Load a file in ONNX Runtime and run it on a batch of 1, with length 2 along every other named axis.

    A merged decoder runs its first step.
    """
    import numpy as np
    import onnxruntime

    start = time.perf_counter()
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    seconds = time.perf_counter() - start
    kinds = {
        "tensor(float)": np.float32,
        "tensor(int64)": np.int64,
        "tensor(int32)": np.int32,
        "tensor(bool)": np.bool_,
    }
    feeds: dict[str, np.ndarray] = {}
    for value in session.get_inputs():
        lengths = [_length(axis, length) for axis, length in enumerate(value.shape)]
        feeds[value.name] = np.full(lengths, value.type != "tensor(bool)", kinds[value.type])
    outputs = session.run(None, feeds)
    finite = all(bool(np.isfinite(output).all()) for output in outputs)
    return {"loads": True, "finite": finite, "load_seconds": round(seconds, 1), "peak_rss_mib": round(peak_mib(), 1)}


def _length(axis: int, length: int | str | None) -> int:
    if isinstance(length, int):
        return length
    return 2 if axis else 1


def line(row: dict[str, Any]) -> str:
    """Return one row of the table."""
    label = f"{row['shape']:10} {row['exporter']:6}"
    if "failed" in row:
        return f"{label} {row['failed']}"
    finite = all(file["finite"] for file in row["onnxruntime"].values())
    text = (
        f"{label} weights {row['weights_mib']:8.1f} MiB   +{row['peak_above_loaded_mib']:8.1f} MiB "
        f"({row['peak_above_loaded_mib'] / row['weights_mib']:6.2f} times)   {row['seconds']:6.1f} s   "
        f"files {row['file_mib']:8.1f} MiB   loads in ONNX Runtime: {finite}"
    )
    if "written" in row:
        text += f"   bytes stored twice: {row['written']['twice_bytes']:,}"
    return text


if __name__ == "__main__":
    main()
