"""Transforms: each variant is judged against the source with its own tolerance, and an invalid one is not published.

The transforms are of these tests: no transform ships.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import onnxruntime
import pytest

from tests import support
from tests.pipeline.test_text_generation import _checkpoint
from tfexport.errors import ConversionError, InputsError, ValidationError
from tfexport.graph import OnnxFiles, read_files
from tfexport.pipeline import transforms
from tfexport.pipeline.export import export_with
from tfexport.pipeline.manifest import contracts_of, summary
from tfexport.pipeline.options import Acceptance, ExportOptions, Selection, Writing
from tfexport.validation import Tolerance

Change = Callable[[onnx.ModelProto], None]


def _nothing(model: onnx.ModelProto) -> None:
    """The identity."""


def _half(model: onnx.ModelProto) -> None:
    """Store weights as float16, and compute in float32."""
    casts = []
    for index, tensor in enumerate(model.graph.initializer):
        if tensor.data_type == onnx.TensorProto.FLOAT:
            name, values = tensor.name, onnx.numpy_helper.to_array(tensor)
            model.graph.initializer[index].CopyFrom(
                onnx.numpy_helper.from_array(values.clip(-65504, 65504).astype(np.float16), f"{name}/half")
            )
            casts.append(onnx.helper.make_node("Cast", [f"{name}/half"], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def _wrong(model: onnx.ModelProto) -> None:
    """Set the largest weight to zero."""
    tensor = max(
        (each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT),
        key=lambda each: int(np.prod(each.dims)),
    )
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros(tuple(tensor.dims), np.float32), tensor.name))


@dataclass(frozen=True)
class Changed:
    """A transform that changes each file, and allows so many times the tolerance."""

    name: str
    change: Change
    factor: float = 1.0
    suffix: str = ""

    def variant(self, name: str) -> str:
        return f"{name}{self.suffix or f'_{self.name}'}"

    def apply(self, files: Mapping[str, OnnxFiles], folder: Path) -> Mapping[str, OnnxFiles]:
        return {
            name: self._changed(written.model, folder / f"{self.variant(name)}.onnx") for name, written in files.items()
        }

    def _changed(self, path: Path, target: Path) -> OnnxFiles:
        model = onnx.load(path)
        self.change(model)
        onnx.save(model, target)
        return read_files(target)

    def tolerance(self, base: Tolerance) -> Tolerance:
        return Tolerance(base.atol * self.factor, base.rtol * self.factor)


class Lost(Changed):
    """A transform that does not write what it names."""

    def apply(self, files: Mapping[str, OnnxFiles], folder: Path) -> Mapping[str, OnnxFiles]:
        return {}


@dataclass(frozen=True)
class Once(Changed):
    """A transform that cannot make the variant of a second exporter's file, and leaves half of it."""

    calls: list[Path] = field(default_factory=list)

    def apply(self, files: Mapping[str, OnnxFiles], folder: Path) -> Mapping[str, OnnxFiles]:
        self.calls.append(folder)
        if len(self.calls) > 1:
            (folder / "model_half_done.onnx").write_bytes(b"")
            raise ConversionError("the second time")
        return super().apply(files, folder)


class Same(Changed):
    """A transform whose variant has the name of the file."""

    def variant(self, name: str) -> str:
        return name


@pytest.fixture
def export(bert: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Export a tiny BERT with transforms that are there for this test."""

    def run(*chosen: Changed, keep_invalid: bool = False, source: Path | None = None, feature: str = "default") -> Any:
        monkeypatch.setattr(transforms, "TRANSFORMS", {each.name: each for each in chosen})
        options = ExportOptions(
            Selection(feature=feature),
            Writing(transforms=tuple(each.name for each in chosen)),
            Acceptance(keep_invalid=keep_invalid),
        )
        return export_with(source or bert("pt"), tmp_path / "out", options)

    return run


def _rows(manifest: Mapping[str, Any]) -> list[str]:
    return [text for label, text in summary(manifest) if label == "variant"]


def test_without_transforms_nothing_is_added(export: Callable[..., Any], tmp_path: Path) -> None:
    manifest = export().manifest
    support.assert_complete(tmp_path / "out")
    assert list(manifest["graphs"]) == ["model.onnx"]
    assert "variants" not in manifest
    assert list(manifest["stages"]) == ["inspect", "load", "convert", "write", "validate"]
    assert _rows(manifest) == []


def test_variants_are_validated_recorded_and_summarised(export: Callable[..., Any], tmp_path: Path) -> None:
    result = export(Changed("copy", _nothing), Changed("half", _half, 1000.0, "_fp16"))
    manifest = support.assert_complete(tmp_path / "out")
    assert result.valid
    assert manifest["validated"] is True
    assert sorted(manifest["graphs"]) == ["model.onnx", "model_copy.onnx", "model_fp16.onnx"]
    assert list(manifest["variants"]) == ["copy", "half"]
    assert manifest["variants"]["half"]["files"] == {"model_fp16.onnx": "model.onnx"}
    half = manifest["variants"]["half"]["validation"]
    assert half["atol"] == pytest.approx(1000 * manifest["validation"]["atol"])
    assert {case["file"] for case in half["cases"]} == {"model_fp16.onnx"}
    assert len(half["cases"]) == len(manifest["validation"]["cases"])
    assert half["max_abs_error"] > 2 * manifest["validation"]["max_abs_error"]
    assert (
        manifest["graphs"]["model_fp16.onnx"]["weight_bytes"] < 0.6 * manifest["graphs"]["model.onnx"]["weight_bytes"]
    )
    assert contracts_of(manifest)["model_fp16"] == contracts_of(manifest)["model"]
    assert "transform" in manifest["stages"]
    rows = _rows(manifest)
    assert rows[0].startswith("copy, model_copy.onnx: yes, 5 of 5 cases")
    assert rows[1].startswith("half, model_fp16.onnx: yes, 5 of 5 cases")


def test_the_tolerance_of_the_files_refuses_what_needs_more(export: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"half: .*differs by"):
        export(Changed("half", _half))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("keep_invalid", [False, True])
def test_a_wrong_variant_makes_the_export_invalid(
    keep_invalid: bool, export: Callable[..., Any], tmp_path: Path
) -> None:
    chosen = Changed("copy", _nothing), Changed("wrong", _wrong)
    if not keep_invalid:
        with pytest.raises(ValidationError, match=r"wrong: .*differs by"):
            export(*chosen)
        assert list(tmp_path.iterdir()) == []
        return
    result = export(*chosen, keep_invalid=True)
    manifest = support.assert_complete(tmp_path / "out")
    assert not result.valid
    assert manifest["validated"] is False
    assert manifest["variants"]["copy"]["validated"] is True
    assert manifest["variants"]["wrong"]["validated"] is False
    assert any(problem.startswith("wrong: ") for problem in manifest["attempts"][-1]["problems"])
    assert _rows(manifest)[1].startswith("wrong, model_wrong.onnx: NO")


def _two_exporters(monkeypatch: pytest.MonkeyPatch) -> None:
    from tfexport.backends.pytorch import PyTorchBackend

    monkeypatch.setattr(PyTorchBackend, "routes", lambda *_: ("torchscript", "torchscript"))


def test_no_file_of_one_exporter_is_published_as_that_of_another(
    export: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first exporter's variant is wrong; the second has written its file when its transform fails."""
    _two_exporters(monkeypatch)
    with pytest.raises(ConversionError, match="the second time"):
        export(Once("wrong", _wrong), keep_invalid=True)
    assert list(tmp_path.iterdir()) == []


def test_the_variant_is_what_onnx_runtime_runs(export: Callable[..., Any], tmp_path: Path) -> None:
    """Against no judgement of ours: the published copy computes exactly what the file computes."""
    export(Changed("copy", _nothing))
    feeds = {"input_ids": np.ones((1, 4), np.int64), "attention_mask": np.ones((1, 4), np.int64)}
    runs = []
    for name in ("model.onnx", "model_copy.onnx"):
        session = onnxruntime.InferenceSession(str(tmp_path / "out" / name), providers=["CPUExecutionProvider"])
        taken = {value.name for value in session.get_inputs()}
        given = feeds | {"token_type_ids": np.zeros((1, 4), np.int64)}
        runs.append(session.run(None, {name: given[name] for name in taken}))
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first, second)


def test_text_is_generated_with_the_variants_of_an_encoder_decoder(export: Callable[..., Any], tmp_path: Path) -> None:
    source = _checkpoint(tmp_path / "t5", "t5", "seq2seq-lm", "pt")
    manifest = export(Changed("copy", _nothing), source=source, feature="seq2seq-lm-with-past").manifest
    assert manifest["validated"] is True
    assert [text["files"] for text in manifest["variants"]["copy"]["validation"]["generation"]] == [
        ["encoder_model_copy.onnx", "decoder_model_copy.onnx", "decoder_with_past_model_copy.onnx"],
        ["encoder_model_copy.onnx", "decoder_model_merged_copy.onnx"],
    ]
    files = {case["file"] for case in manifest["variants"]["copy"]["validation"]["cases"]}
    assert files == set(manifest["variants"]["copy"]["files"])


def test_an_unknown_transform_is_named(export: Callable[..., Any]) -> None:
    with pytest.raises(InputsError, match="'int8' is not a transform; the transforms are none yet"):
        transforms.find_transforms(["int8"])


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (Lost("lost", _nothing), r"the transform lost wrote no file; expected model_lost\.onnx"),
        (Same("same", _nothing), r"the transform same overwrites files of the export: model\.onnx"),
    ],
    ids=["no file", "the file itself"],
)
def test_a_transform_must_write_the_files_that_it_names(
    transform: Changed, message: str, export: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(ConversionError, match=message):
        export(transform)
    assert list(tmp_path.iterdir()) == []


def test_no_transform_ships() -> None:
    folder = Path(transforms.__file__).parent
    assert sorted(file.name for file in folder.glob("*.py")) == ["__init__.py", "base.py"]
    assert transforms.TRANSFORMS == {}


def test_one_file_in_the_folder_adds_a_transform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from tests.pipeline.test_transforms import Changed, _half\nTRANSFORM = Changed('mine', _half)\n"
    )
    monkeypatch.setattr(transforms, "__path__", [*transforms.__path__, str(tmp_path)])
    try:
        assert list(transforms._walked()) == ["mine"]
    finally:
        sys.modules.pop("tfexport.pipeline.transforms.mine", None)
