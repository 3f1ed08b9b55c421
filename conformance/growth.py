"""Memory, file descriptors and threads of a process that exports the same model again and again.

    python -m conformance.growth                 # every kind, 20 exports each
    python -m conformance.growth --only tf --exports 40

Each kind has a process of its own. The slope is the least-squares line through the resident memory after each export, without
the first exports, which fill caches. The result is written to conformance/results/growth.json.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tfexport.processes.isolation import call_isolated

RESULTS = Path(__file__).parent / "results" / "growth.json"
WARM_UP = 5
"""Exports before the first one that counts."""
_STATUS = Path("/proc/self/status")
_DESCRIPTORS = Path("/proc/self/fd")


@dataclass(frozen=True)
class Sample:
    """The process after one export.

    Attributes:
        rss_kib: Resident memory, after what is free was given back to the system.
        descriptors: Number of open file descriptors.
        threads: Number of threads.
    """

    rss_kib: int
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Growth:
    """What one export more adds to the process.

    Attributes:
        exports: Number of exports that count.
        kib_per_export: Slope of the resident memory.
        descriptors: Descriptors that the last export has more than the first that counts.
        threads: Threads that the last export has more.
    """

    exports: int
    kib_per_export: float
    descriptors: int
    threads: int


def bert(form: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """Save a tiny BERT of a framework, and return what is exported and the options."""
    name = "BertModel" if form == "pt" else "TFBertModel"
    tiny_model(form, name, tiny_config("bert")).save_pretrained(folder)
    return str(folder), {"framework": form}


def keras_file(folder: Path) -> tuple[str, dict[str, Any]]:
    """Save a small Keras file."""
    import keras

    inputs = keras.Input((8,), name="x")
    keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Dense(16, "relu")(inputs))).save(folder / "model.keras")
    return str(folder / "model.keras"), {}


def saved_model(folder: Path) -> tuple[str, dict[str, Any]]:
    """Save a small SavedModel."""
    import tensorflow as tf

    module = tf.Module()
    module.kernel = tf.Variable(tf.random.normal((8, 4), seed=1))
    module.call = tf.function(
        lambda x: {"y": x @ module.kernel}, input_signature=[tf.TensorSpec((None, 8), tf.float32, name="x")]
    )
    tf.saved_model.save(module, str(folder), signatures=module.call)
    return str(folder), {"trust": True}


KINDS: dict[str, Callable[[Path], tuple[str, dict[str, Any]]]] = {
    "pt": partial(bert, "pt"),
    "tf": partial(bert, "tf"),
    "keras": keras_file,
    "saved-model": saved_model,
}


def exported(kind: str, exports: int) -> list[Sample]:
    """Export a model so many times in this process, and return the process after each."""
    from tfexport import export_model

    samples = []
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "model").mkdir()
        source, options = KINDS[kind](Path(scratch) / "model")
        for _ in range(exports):
            export_model(source, Path(scratch) / "out", **options)
            gc.collect()
            samples.append(sample())
    return samples


def sample() -> Sample:
    """Return this process as it is."""
    ctypes.CDLL(None).malloc_trim(0)
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return Sample(int(lines["VmRSS"].split()[0]), sum(1 for _ in _DESCRIPTORS.iterdir()), int(lines["Threads"]))


def growth(samples: Sequence[Sample]) -> Growth:
    """Return the growth from export to export, without the first ones."""
    counted = samples[WARM_UP:]
    slope = np.polyfit(range(len(counted)), [each.rss_kib for each in counted], 1)[0]
    first, last = counted[0], counted[-1]
    return Growth(
        len(counted), round(float(slope), 1), last.descriptors - first.descriptors, last.threads - first.threads
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--exports", type=int, default=20)
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for kind in options.only:
        found = growth(call_isolated(exported, kind, options.exports))
        results[kind] = asdict(found)
        sys.stdout.write(
            f"{kind}: {found.kib_per_export:.0f} KiB an export, {found.descriptors:+} descriptors, {found.threads:+} threads\n"
        )
        sys.stdout.flush()
        RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
