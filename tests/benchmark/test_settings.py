"""Cells, suites, and the arguments of a command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.calibration import matmul_file
from conformance.zoo.tiny import tiny_config
from tfexport.benchmark.arguments import as_requests, numbers, texts
from tfexport.benchmark.cells import Axes, Cell, Setting
from tfexport.benchmark.graph_facts import random_inputs, read
from tfexport.benchmark.suite import Options, read_suite
from tfexport.benchmark.targets import Request, open_target
from tfexport.errors import BenchmarkError, CheckpointError, InputsError

SUITES = Path(__file__).resolve().parents[2] / "benchmarks" / "suites"


class TestCells:
    AXES = Axes(("ort", "tf-eager"), batches=(1, 8), sequences=(16, 512), threads=(1, 2))

    def test_every_combination_is_a_setting(self) -> None:
        found = self.AXES.settings("m", has_sequence=True, writes=False, longest=None)
        assert len(found) == len(set(found)) == 8
        assert [cell.engine for cell in self.AXES.cells(found[0])] == ["ort", "tf-eager"]

    def test_rows_that_are_too_long_are_left_out(self) -> None:
        found = self.AXES.settings("m", has_sequence=True, writes=False, longest=512)
        assert {setting.sequence for setting in found} == {16, 512}
        written = self.AXES.settings("m", has_sequence=True, writes=True, longest=512)
        assert {(setting.sequence, setting.tokens) for setting in written} == {(16, 1), (16, 32)}

    def test_a_model_without_tokens_has_no_lengths(self) -> None:
        found = self.AXES.settings("m", has_sequence=False, writes=False, longest=None)
        assert {setting.sequence for setting in found} == {None}

    def test_the_key_names_everything_that_differs(self) -> None:
        found = Axes(
            ("ort",), ("cpu", "cuda"), (1, 2), (3, 4), (1, 2), ("host", "device"), (1, 2), ("fp32", "fp16"), (1, 5)
        )
        cells = [
            cell
            for setting in found.settings("m", has_sequence=True, writes=True, longest=None)
            for cell in found.cells(setting)
        ]
        assert len({cell.key for cell in cells}) == len(cells) == 256

    def test_a_key_is_read_by_people(self) -> None:
        setting = Setting("minilm", 8, 128, 0, 2, 1, "host", "fp32")
        assert Cell("ort", "cpu", setting).key == "minilm, 8x128, 2 threads, host, ort"

    @pytest.mark.parametrize(
        ("axes", "message"),
        [
            ({"batches": (0,)}, "batches has 0"),
            ({"boundaries": ("gpu",)}, "'gpu' is not a known boundary"),
            ({"precisions": ("int8",)}, "'int8' is not a known precision"),
            ({"engines": ()}, "engines is empty"),
            ({"tokens": (0,)}, "tokens has 0"),
        ],
    )
    def test_a_value_that_is_not_valid_is_refused(self, axes: dict[str, object], message: str) -> None:
        with pytest.raises(InputsError, match=message):
            Axes(**{"engines": ("ort",), **axes})  # type: ignore[arg-type]


class TestSuites:
    def test_a_target_has_options_of_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "exported").mkdir()
        (tmp_path / "mine.toml").write_text(
            'engines = ["ort"]\nbatch_sizes = [1]\n[[targets]]\npath = "exported"\nbatch_sizes = [4]\n'
        )
        suite = read_suite(tmp_path / "mine.toml")
        ((request, own),) = suite.targets
        assert (suite.name, request.path) == ("mine", str(tmp_path / "exported"))
        assert own.over(suite.options) == Options(engines=("ort",), batch_sizes=(4,))

    @pytest.mark.parametrize(
        "text",
        [
            'engine = ["ort"]',
            "[[targets]]\nname = 'x'",
            "engines = [",
            'engines = "ort"',
            "launches = true",
            "[[targets]]\npath = 'x'\nlaunches = 2",
        ],
    )
    def test_a_mistake_is_an_error(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "mine.toml").write_text(text)
        with pytest.raises(InputsError, match=r"mine\.toml"):
            read_suite(tmp_path / "mine.toml")

    @pytest.mark.parametrize("file", sorted(SUITES.glob("*.toml")), ids=lambda file: file.stem)
    def test_those_of_this_project_are_read(self, file: Path) -> None:
        suite = read_suite(file)
        assert suite.name == file.stem
        assert suite.targets


class TestArguments:
    def test_lists(self) -> None:
        assert texts("ort, tf-eager") == ("ort", "tf-eager")
        assert numbers("--batch-sizes", "1,8") == (1, 8)
        assert texts(None) is None

    def test_a_word_is_not_a_number(self) -> None:
        with pytest.raises(InputsError, match=r"--batch-sizes is 'one'\. Expected whole numbers"):
            numbers("--batch-sizes", "one")

    def test_targets_have_names(self) -> None:
        plain, named, path = as_requests(["out", "mine=out", "a/b=c"], "auto", None, None, ["frames=100"])
        assert (plain.called, named.called, named.path, path.path) == ("out", "mine", "out", "a/b=c")
        assert plain.axes == {"frames": 100}

    @pytest.mark.parametrize("axis", ["frames", "frames=", "=3", "frames=0"])
    def test_an_axis_needs_a_length(self, axis: str) -> None:
        with pytest.raises(InputsError, match="--axis is"):
            as_requests([], "auto", None, None, [axis])


class TestFiles:
    def test_an_axis_of_unknown_length_must_be_named(self, tmp_path: Path) -> None:
        model = read(matmul_file(tmp_path / "chain.onnx", width=4))
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "frames"
        with pytest.raises(InputsError, match="the name of axis 1 of the input h0 is 'frames'.*--axis frames=LENGTH"):
            random_inputs(model, 2, 3, {})
        assert random_inputs(model, 2, 3, {"frames": 7})["h0"].shape == (2, 7)

    def test_weights_beside_an_exported_file_are_not_opened(self, tmp_path: Path) -> None:
        tiny_config("bert").save_pretrained(tmp_path)
        matmul_file(tmp_path / "model.onnx", width=4, layers=1)
        (tmp_path / "tf_model.h5").write_bytes(b"no weights")
        target = open_target(Request(str(tmp_path), feature="default"), tmp_path / "exports", lambda _: None)
        assert target.model.files == {"model": tmp_path / "model.onnx"}
        assert target.model.outputs == ("h1",)
        assert target.model.checkpoint is None

    def test_no_file_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match="does not exist"):
            open_target(Request(str(tmp_path / "model.onnx")), tmp_path, lambda _: None)

    def test_a_broken_file_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "model.onnx").write_bytes(b"no graph")
        with pytest.raises(CheckpointError, match="not an ONNX file"):
            open_target(Request(str(tmp_path / "model.onnx")), tmp_path, lambda _: None)

    def test_a_checkpoint_that_cannot_be_exported_says_why(self, tmp_path: Path) -> None:
        with pytest.raises(BenchmarkError, match="could not be exported: .*does not exist"):
            open_target(Request(str(tmp_path / "nothing")), tmp_path, lambda _: None)
