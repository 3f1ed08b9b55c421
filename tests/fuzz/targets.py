"""The targets: a file, the sound samples that it is made from, the folder around it, and the functions that read it."""

from __future__ import annotations

import io
import json
import shutil
import time
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hypothesis import strategies as st

from conformance.attack.commands import Command, Limits
from conformance.attack.expectations import Before, Expectation, problems_of
from conformance.attack.runner import Zygote
from conformance.attack.sandbox import Sandbox, snapshot
from tests.fuzz import mutations
from tests.fuzz.readers import read

HERE = Path(__file__).parent
SAMPLES, CORPUS = HERE / "samples", HERE / "corpus"
PRELOADED = (
    "h5py",
    "keras",
    "onnx",
    "onnxruntime",
    "tf_keras",
    "transformers.models.auto.modeling_auto",
    "tfexport.backends.keras.files",
    "tfexport.benchmark.report",
    "tfexport.benchmark.targets",
    "tfexport.checkpoints.inspection",
    "tfexport.pipeline.plan",
    "tfexport.validation.structure",
    "tests.fuzz.readers",
)
"""Modules that a child process needs."""
_LONGEST_S = 5.0
_LIMITS = Limits(seconds=20, memory_mib=1024)
_CHILD = (
    "from pathlib import Path; from tests.fuzz.readers import read; read({reader!r}, Path({folder!r})); print('DONE')"
)
Strategy = Callable[["Target"], st.SearchStrategy[bytes]]


class Content(bytes):
    """A content, which hypothesis writes into its reports."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@dataclass(frozen=True)
class Target:
    """A file that tfexport reads.

    Attributes:
        name: Name.
        samples: Pattern of the files in `SAMPLES` that are sound contents.
        file: Name of the file in its folder.
        reader: Name of the function of `tests.fuzz.readers` that reads the folder.
        strategy: Function that returns the strategy of contents.
        around: Further files of the folder: the name of each, with the name of its sample.
        is_native: Whether a library of native code parses it, so that it is read in a child process.
        wrapped: Function of a content that returns the content of the file; None where they are the same.
        may_die: Whether the reading process may die, or take too much: tfexport reads the file in a child with limits, whose
            death is an answer.
    """

    name: str
    samples: str
    file: str
    reader: str
    strategy: Strategy
    around: Mapping[str, str]
    is_native: bool = False
    wrapped: Callable[[bytes], bytes] | None = None
    may_die: bool = False

    def contents(self) -> st.SearchStrategy[bytes]:
        """Return the strategy of contents."""
        return self.strategy(self).map(Content)

    @cached_property
    def sound(self) -> tuple[bytes, ...]:
        """The sound contents."""
        found = tuple(file.read_bytes() for file in sorted(SAMPLES.glob(self.samples)))
        assert found, f"no samples {self.samples}"
        return found

    @cached_property
    def corpus(self) -> tuple[Path, ...]:
        """The inputs that were failed on once."""
        return tuple(sorted((CORPUS / self.name).glob("*")))

    def lay_out(self, content: bytes, folder: Path) -> None:
        """Write a content, and the files around it, into a folder."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, sample in self.around.items():
            shutil.copyfile(SAMPLES / sample, folder / name)
        (folder / self.file).write_bytes(content if self.wrapped is None else self.wrapped(content))

    def problems(self, content: bytes, folder: Path, zygote: Zygote) -> list[str]:
        """Return what does not hold when a content is read; errors that are not of tfexport are raised in this process."""
        if self.is_native:
            return self._in_child(content, folder, zygote)
        self.lay_out(content, folder / "in")
        before = snapshot(folder)
        seconds = self._seconds(folder / "in")
        if seconds > _LONGEST_S:  # the first time, it may have imported what it needs
            seconds = self._seconds(folder / "in")
        found = [] if seconds < _LONGEST_S else [f"took {seconds:.1f} s"]
        return found + ([] if snapshot(folder) == before else ["the folder changed"])

    def _seconds(self, folder: Path) -> float:
        start = time.monotonic()
        read(self.reader, folder)
        return time.monotonic() - start

    def _in_child(self, content: bytes, folder: Path, zygote: Zygote) -> list[str]:
        sandbox = Sandbox.make(folder, folder)
        self.lay_out(content, sandbox.input)
        code = _CHILD.format(reader=self.reader, folder=str(sandbox.input))
        command = Command((code,), script="run_text", limits=_LIMITS)
        before = Before.of(sandbox)
        ended = zygote.run(command, sandbox)
        if self.may_die and (ended.signal or ended.stopped):
            return []
        return problems_of(sandbox, command, ended, before, Expectation.SCRIPT, ())


def _json(target: Target) -> st.SearchStrategy[bytes]:
    return mutations.json_bytes([json.loads(sample) for sample in target.sound])


def _toml(target: Target) -> st.SearchStrategy[bytes]:
    return mutations.toml_bytes([tomllib.loads(sample.decode()) for sample in target.sound])


def _bytes(target: Target) -> st.SearchStrategy[bytes]:
    return mutations.changed_bytes(target.sound)


def _structure(target: Target) -> st.SearchStrategy[bytes]:
    """Return the strategy of HDF5: its structure lies before the data of small files, and among it."""
    return mutations.changed_bytes(target.sound, within=6000) | mutations.changed_bytes(target.sound)


def _safetensors(target: Target) -> st.SearchStrategy[bytes]:
    return mutations.safetensors(target.sound)


def _archive(config: bytes) -> bytes:
    """Return a Keras archive with a configuration."""
    made = io.BytesIO()
    with zipfile.ZipFile(SAMPLES / "dense.keras") as sound, zipfile.ZipFile(made, "w") as archive:
        for name in sound.namelist():
            archive.writestr(name, config if name == "config.json" else sound.read(name))
    return made.getvalue()


def _hdf5(config: bytes) -> bytes:
    """Return a Keras file in HDF5 with a configuration."""
    import h5py

    made = io.BytesIO((SAMPLES / "dense.h5").read_bytes())
    with h5py.File(made, "r+") as opened:
        del opened.attrs["model_config"]
        opened.attrs.create("model_config", config, dtype=f"S{max(1, len(config))}") if len(
            config
        ) < _LONGEST_ATTRIBUTE else None
    return made.getvalue()


_LONGEST_ATTRIBUTE = 60_000
_BERT = {"model.safetensors": "bert.safetensors"}
_CONFIG = {"config.json": "config-bert.json"}
TARGETS = (
    Target("manifests", "manifest-*.json", "tfexport.json", "manifest", _json, {"model.onnx": "product.onnx.sample"}),
    Target(
        "measured_exports",
        "manifest-*.json",
        "tfexport.json",
        "measured_export",
        _json,
        {"model.onnx": "product.onnx.sample"},
    ),
    Target("results", "results.json", "results.json", "results", _json, {"sound.json": "results.json"}),
    Target("suites", "suite.toml", "suite.toml", "suite", _toml, {}),
    Target("configurations", "config-*.json", "config.json", "checkpoint", _json, _BERT),
    Target(
        "indexes",
        "index.json",
        "model.safetensors.index.json",
        "checkpoint",
        _json,
        {**_CONFIG, "a.safetensors": "bert.safetensors"},
    ),
    Target("safetensors", "bert.safetensors", "model.safetensors", "checkpoint", _safetensors, _CONFIG),
    Target("tokenizers", "tokenizer_config.json", "tokenizer_config.json", "checkpoint", _json, {**_CONFIG, **_BERT}),
    Target("keras_configurations", "keras-*.json", "model.keras", "keras_file", _json, {}, wrapped=_archive),
    Target("keras_archives", "dense.keras", "model.keras", "keras_file", _bytes, {}, is_native=True, may_die=True),
    Target(
        "hdf5_configurations",
        "keras-*.json",
        "model.h5",
        "keras_file",
        _json,
        {},
        is_native=True,
        wrapped=_hdf5,
        may_die=True,
    ),
    Target("hdf5", "dense.h5", "model.h5", "keras_file", _structure, {}, is_native=True, may_die=True),
    Target(
        "hdf5_weights", "weights.h5", "tf_model.h5", "hdf5_weights", _structure, _CONFIG, is_native=True, may_die=True
    ),
    Target("onnx", "*.onnx.sample", "model.onnx", "onnx_file", _bytes, {}, is_native=True),
)


def target_of(name: str) -> Target:
    """Return a target by its name."""
    return next(target for target in TARGETS if target.name == name)
