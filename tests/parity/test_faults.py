"""Faults planted into files of eight architectures: each is found, and so is its layer."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest

from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from tests.parity import faults
from tests.parity.faults import Fault
from tfexport import export_checkpoint
from tfexport.parity.corners import CPU, Corner, CornerId
from tfexport.parity.exchange import Exchange
from tfexport.parity.files import ExportedFiles, run_files
from tfexport.parity.frameworks import FrameworkModel, run_model, summarise
from tfexport.parity.localisation import FileSide, FrameworkSide, Located, Search
from tfexport.parity.pairs import Pair, compare_corners
from tfexport.parity.run_result import RunResult
from tfexport.pipeline.options import export_options
from tfexport.processes.isolation import call_in_process
from tfexport.validation import Tolerance


@dataclass(frozen=True)
class Sound:
    """A model, its sound file, and the result of running the model on every case."""

    model: FrameworkModel
    file: Path
    folder: Path
    result: RunResult
    tolerance: Tolerance

    def judge(self, file: Path) -> tuple[Pair, RunResult]:
        """Compare a file with the model."""
        exchange = Exchange(self.folder)
        cases = {part: range(len(cases)) for part, cases in self.result.cases.items()}
        result = run_files(ExportedFiles({"model": file}), CPU, self.folder, "onnx-tf", cases)
        corners = (Corner(TF, self.result), Corner(ONNX_TF, result))
        (pair,) = compare_corners(corners, self.result.cases, exchange, self.tolerance)
        return pair, result

    def locate(self, pair: Pair, file: Path) -> Located:
        """Return the layer in which the two diverge. In processes of their own it would take ten minutes."""
        sides = FrameworkSide(TF, self.model), FileSide(ONNX_TF, {"model": file})
        found = Search(pair, *sides, Exchange(self.folder), self.tolerance, call_in_process).run()
        assert found is not None
        return found


Make = Callable[..., Sound]
TF, ONNX_TF = CornerId("tf"), CornerId("tf", "file")
WIDE, NARROW = 0.3, 0.02
EMBEDDINGS = re.compile(r"/embeddings/.*embeddings(/weight)?:0$")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Make:
    made: dict[tuple[str, str, bool], Sound] = {}

    def make(model_type: str, feature: str, narrow: bool = False) -> Sound:
        if (model_type, feature, narrow) not in made:
            folder = tmp_path_factory.mktemp(model_type)
            _save(folder / "checkpoint", model_type, feature, narrow)
            one_file = feature.startswith("seq2seq")
            export_checkpoint(folder / "checkpoint", folder / "export", feature=feature, monolith=one_file)
            model = FrameworkModel(
                str(folder / "checkpoint"), export_options(feature=feature, framework="tf", monolith=one_file)
            )
            result = run_model(model, folder / "exchange", "tf")
            assert result.problems == {"model": {}}
            made[model_type, feature, narrow] = Sound(
                model, folder / "export" / "model.onnx", folder / "exchange", result, summarise(model).tolerance
            )
        return made[model_type, feature, narrow]

    return make


def _save(folder: Path, model_type: str, feature: str, narrow: bool) -> None:
    """Save weights so large that each layer changes the outputs. `narrow`: embeddings are as small as BERT draws them."""
    from tfexport.declarations.features import model_class

    config = tiny_config(model_type, feature)
    for name in ("initializer_range", "init_std", "initializer_factor"):
        if hasattr(config, name):
            setattr(config, name, WIDE if name != "initializer_factor" else 2.0)
    model = tiny_model("tf", model_class(model_type, feature, "tf", ()), config)
    for table in (each for each in model.weights if narrow and EMBEDDINGS.search(each.name)):
        table.assign(table * (NARROW / WIDE))
    model.save_pretrained(folder, safe_serialization=False)


BERT, ELECTRA, ROBERTA = (f"{name}/encoder/layer_._1" for name in ("bert", "electra", "roberta"))
DISTIL, VIT = "distilbert/transformer/layer_._1", "vit/encoder/layer_._1"
ALBERT = "albert_layer_groups_._0/albert_layers_._0"
GPT2, T5 = "transformer/h_._1", "encoder/block_._1/layer_._0/SelfAttention"

PLANTED: list[tuple[str, str, str, Fault, str]] = [
    ("bert", "default", "weight", faults.weight(f"{BERT}/intermediate/dense/kernel"), f"{BERT}/intermediate/dense"),
    ("bert", "default", "int8", faults.int8(f"{BERT}/attention/self/key/kernel"), f"{BERT}/attention/self/key"),
    (
        "bert",
        "default",
        "transposed",
        faults.transposed(f"{BERT}/attention/self/query/kernel"),
        f"{BERT}/attention/self/query",
    ),
    (
        "bert",
        "default",
        "swapped biases",
        faults.swapped(f"{BERT}/attention/self/query/bias", f"{BERT}/attention/self/value/bias"),
        f"{BERT}/attention/self/",
    ),
    (
        "bert",
        "default",
        "epsilon",
        faults.epsilon(f"{BERT}/attention/output/LayerNorm/batchnorm/add", 1e-2),
        f"{BERT}/attention/output/LayerNorm",
    ),
    ("bert", "default", "tanh", faults.tanh_gelu(f"{BERT}/intermediate"), f"{BERT}/intermediate"),
    ("bert", "default", "mask", faults.mask_ignored(), "bert/encoder/layer_._0/attention/self"),
    ("bert", "default", "nan", faults.nan_for_length_1("last_hidden_state"), ""),
    ("bert", "question-answering", "outputs", faults.outputs_swapped("start_logits", "end_logits"), ""),
    ("electra", "default", "weight", faults.weight(f"{ELECTRA}/output/dense/kernel"), f"{ELECTRA}/output/dense"),
    ("electra", "default", "mask", faults.mask_ignored(), "electra/encoder/layer_._0/attention/self"),
    ("electra", "default", "tanh", faults.tanh_gelu(f"{ELECTRA}/intermediate"), f"{ELECTRA}/intermediate"),
    (
        "electra",
        "default",
        "int8",
        faults.int8(f"{ELECTRA}/intermediate/dense/kernel"),
        f"{ELECTRA}/intermediate/dense",
    ),
    (
        "roberta",
        "default",
        "weight",
        faults.weight(f"{ROBERTA}/attention/output/dense/kernel"),
        f"{ROBERTA}/attention/output/dense",
    ),
    (
        "roberta",
        "default",
        "transposed",
        faults.transposed(f"{ROBERTA}/attention/self/value/kernel"),
        f"{ROBERTA}/attention/self/value",
    ),
    ("roberta", "default", "mask", faults.mask_ignored(), "roberta/encoder/layer_._0/attention/self"),
    ("roberta", "default", "nan", faults.nan_for_length_1("last_hidden_state"), ""),
    ("distilbert", "default", "weight", faults.weight(f"{DISTIL}/ffn/lin1/kernel"), f"{DISTIL}/ffn/lin1"),
    (
        "distilbert",
        "default",
        "transposed",
        faults.transposed(f"{DISTIL}/attention/q_lin/kernel"),
        f"{DISTIL}/attention/q_lin",
    ),
    ("distilbert", "default", "int8", faults.int8(f"{DISTIL}/ffn/lin2/kernel"), f"{DISTIL}/ffn/lin2"),
    ("distilbert", "default", "mask", faults.mask_ignored(), "distilbert/transformer/layer_._0/attention"),
    ("albert", "default", "weight", faults.weight(f"{ALBERT}/ffn/kernel"), f"{ALBERT}/ffn"),
    ("albert", "default", "transposed", faults.transposed(f"{ALBERT}/attention/key/kernel"), f"{ALBERT}/attention/key"),
    ("albert", "default", "int8", faults.int8(f"{ALBERT}/ffn_output/kernel"), f"{ALBERT}/ffn_output"),
    ("gpt2", "causal-lm-with-past", "weight", faults.weight(f"{GPT2}/mlp/c_fc/weight"), f"{GPT2}/mlp/c_fc"),
    ("gpt2", "causal-lm-with-past", "int8", faults.int8(f"{GPT2}/attn/c_attn/weight"), f"{GPT2}/attn/c_attn"),
    ("gpt2", "causal-lm-with-past", "past", faults.shifted("position_ids"), "transformer/"),
    ("t5", "seq2seq-lm", "weight", faults.weight(f"{T5}/q/kernel"), f"{T5}/q"),
    ("t5", "seq2seq-lm", "int8", faults.int8(f"{T5}/v/kernel"), f"{T5}/v"),
    ("t5", "seq2seq-lm", "mask", faults.mask_ignored(), "encoder/block_._0/layer_._0/SelfAttention"),
    ("vit", "default", "weight", faults.weight(f"{VIT}/intermediate/dense/kernel"), f"{VIT}/intermediate/dense"),
    (
        "vit",
        "default",
        "transposed",
        faults.transposed(f"{VIT}/attention/attention/query/kernel"),
        f"{VIT}/attention/attention/query",
    ),
    ("vit", "default", "int8", faults.int8(f"{VIT}/output/dense/kernel"), f"{VIT}/output/dense"),
]


def _planted(source: Sound, plant: Fault, folder: Path) -> Path:
    model = onnx.load(str(source.file))
    plant(model)
    onnx.save(model, str(folder / "model.onnx"))
    return folder / "model.onnx"


@pytest.mark.parametrize(
    ("model_type", "feature", "name", "plant", "layer"),
    PLANTED,
    ids=[f"{model_type}-{name}" for model_type, _, name, _, _ in PLANTED],
)
def test_a_planted_fault_is_found_and_so_is_its_layer(
    sound: Make,
    tmp_path: Path,
    model_type: str,
    feature: str,
    name: str,
    plant: Fault,
    layer: str,
) -> None:
    source = sound(model_type, feature)
    planted = _planted(source, plant, tmp_path)
    pair, _ = source.judge(planted)
    assert not pair.agrees
    located = source.locate(pair, planted)
    assert located.problem is None
    assert set(located.levels.values()) == {False}
    if name == "outputs":
        assert set(located.swapped) == {("start_logits", "end_logits"), ("end_logits", "start_logits")}
    elif name == "nan":
        assert {each.report.case.sequence for each in pair.compared if each.report.problems} == {1}
        assert located.divergence is not None
        assert located.divergence.first is None
    else:
        assert located.divergence is not None
        assert located.divergence.first is not None
        assert layer in located.divergence.first.name, located.sentence


@pytest.mark.parametrize("model_type", ["bert", "electra", "distilbert", "albert"])
def test_an_epsilon_of_1e_5_for_1e_12_is_found_where_variances_are_small(
    sound: Make, tmp_path: Path, model_type: str
) -> None:
    """Embeddings drawn with BERT's own range have a variance near 1e-3, of which 1e-5 is a hundredth."""
    source = sound(model_type, "default", narrow=True)
    pair, _ = source.judge(source.file)
    assert pair.agrees, pair.problems
    planted = _planted(source, faults.epsilon("embeddings/LayerNorm/batchnorm/add", 1e-5), tmp_path)
    pair, _ = source.judge(planted)
    assert not pair.agrees
    located = source.locate(pair, planted)
    assert located.divergence is not None
    assert located.divergence.first is not None
    assert located.divergence.first.name.endswith("embeddings/LayerNorm"), located.sentence


@pytest.mark.parametrize(("model_type", "feature"), sorted({(each[0], each[1]) for each in PLANTED}))
def test_a_sound_file_raises_no_false_alarm(sound: Make, tmp_path: Path, model_type: str, feature: str) -> None:
    source = sound(model_type, feature)
    shutil.copy(source.file, tmp_path / "model.onnx")
    pair, result = source.judge(tmp_path / "model.onnx")
    assert pair.agrees, pair.problems
    assert result.structure == {"model": ()}


def test_as_many_faults_as_were_promised() -> None:
    assert len(PLANTED) >= 30
    assert len({each[0] for each in PLANTED}) >= 6
