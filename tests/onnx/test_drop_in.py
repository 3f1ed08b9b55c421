"""Migrating from ``transformers.onnx`` is a change of the import: every public path, name, signature and argument is here."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest
from packaging.version import Version
from transformers import BertConfig, BertModel

import tfexport
import tfexport.onnx
from tests import support
from tests.support import Ran
from tfexport.errors import InputsError, OutputError, RuntimeNotInstalledError
from tfexport.onnx import __main__ as program
from tfexport.onnx import convert

MODULES = ("", ".config", ".convert", ".features", ".utils", ".__main__")
LEFT_OUT = {
    (".features", "supported_features_mapping"): (
        "it finds classes of transformers.onnx by their path in transformers; here an OnnxConfig is passed to export"
    ),
    (".__main__", "ENCODER_DECODER_MODELS"): "a table of the command's own; here the declaration of a model says it",
    (".__main__", "MIN_OPTIMUM_VERSION"): "tfexport does not hand the export to optimum",
    (".__main__", "export_with_optimum"): "tfexport does not hand the export to optimum",
    (".__main__", "export_with_transformers"): "the body of the command; here it is tfexport.export_model",
}
"""Public names of ``transformers.onnx`` that ``tfexport.onnx`` lacks, by module, with the reason."""
FROM_ELSEWHERE = ("TYPE_CHECKING", "TF2_WEIGHTS_NAME", "WEIGHTS_NAME")
"""Constants that modules of the seed import from other packages."""


def _modules(name: str) -> tuple[ModuleType, ModuleType]:
    return importlib.import_module(f"transformers.onnx{name}"), importlib.import_module(f"tfexport.onnx{name}")


def _public(module: ModuleType) -> list[str]:
    """The constants, functions and classes of a module of the seed, whether it defines them or a sibling does."""
    home = "transformers.onnx" if module.__name__ != "transformers.onnx.__main__" else module.__name__
    return [
        name
        for name, value in ((name, getattr(module, name)) for name in dir(module) if not name.startswith("_"))
        if getattr(value, "__module__", "").startswith(home)
        or (name.isupper() and name not in FROM_ELSEWHERE and not inspect.isclass(value))
    ]


def test_every_public_name_is_here_or_left_out_for_a_reason() -> None:
    missing = set()
    for name in MODULES:
        theirs, ours = _modules(name)
        missing |= {(name, public) for public in _public(theirs) if not hasattr(ours, public)}
    assert missing == set(LEFT_OUT)


def test_the_walk_finds_the_names_that_users_import() -> None:
    """So that the test above cannot pass by finding none."""
    assert {"OnnxConfig", "OnnxConfigWithPast", "PatchingSpec", "DEFAULT_ONNX_OPSET"} <= set(
        _public(_modules(".config")[0])
    )
    assert {"export", "export_pytorch", "validate_model_outputs"} <= set(_public(_modules(".convert")[0]))
    assert {"ParameterFormat", "get_preprocessor"} <= set(_public(_modules(".utils")[0]))


@pytest.mark.parametrize("name", MODULES[:-1])
def test_functions_take_the_seeds_arguments(name: str) -> None:
    theirs, ours = _modules(name)
    for public in _public(theirs):
        function = getattr(theirs, public)
        if inspect.isfunction(function) and (name, public) not in LEFT_OUT:
            expected = [(p.name, p.default, p.kind) for p in inspect.signature(function).parameters.values()]
            made = inspect.signature(getattr(ours, public)).parameters.values()
            assert [(p.name, p.default, p.kind) for p in made] == expected, public


def test_each_name_is_one_object_on_every_path() -> None:
    for name in tfexport.onnx.__all__:
        found = getattr(tfexport.onnx, name)
        assert getattr(tfexport, name) is found
        for module in MODULES[1:-1]:
            _, ours = _modules(module)
            assert getattr(ours, name, found) is found


def test_modules_are_attributes_of_the_package() -> None:
    code = (
        "import tfexport.onnx as o; print(o.config.OnnxConfig is o.OnnxConfig, o.utils.__name__, 'convert' in dir(o))"
    )
    ran = support.python(code)
    assert ran.out.split() == ["True", "tfexport.onnx.utils", "True"], ran.err


@pytest.mark.parametrize(("dimension", "fixed", "added"), [(-1, 8, 2), (0, 3, 0), (5, 8, 2), (1, 2, 3)])
def test_effective_axis_dimension(dimension: int, fixed: int, added: int) -> None:
    theirs, ours = (module.compute_effective_axis_dimension(dimension, fixed, added) for module in _modules(".utils"))
    assert ours == theirs


@pytest.mark.parametrize("names", [["token_type_ids", "input_ids"], ["input_ids", "phase_of_the_moon"], []])
def test_inputs_that_a_model_takes(names: list[str]) -> None:
    model = BertModel(
        BertConfig(vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4)
    )
    theirs, ours = (module.ensure_model_and_config_inputs_match(model, names) for module in _modules(".convert"))
    assert ours == theirs


def test_the_preprocessor_of_a_checkpoint(bert: Callable[[str], Path], tmp_path: Path) -> None:
    import shutil

    checkpoint = shutil.copytree(bert("pt"), tmp_path / "checkpoint")
    assert tfexport.onnx.utils.get_preprocessor(str(checkpoint)) is None
    support.small_tokenizer(checkpoint)
    theirs, ours = (module.get_preprocessor(str(checkpoint)) for module in _modules(".utils"))
    assert type(ours) is type(theirs)
    assert ours.get_vocab() == theirs.get_vocab()


def test_onnxruntime_that_is_too_old() -> None:
    convert.check_onnxruntime_requirements(convert.ORT_QUANTIZE_MINIMUM_VERSION)
    with pytest.raises(RuntimeNotInstalledError, match=r"999\.0 or newer is required") as caught:
        convert.check_onnxruntime_requirements(Version("999.0"))
    assert isinstance(caught.value, ImportError)


def test_a_model_of_the_other_framework(tmp_path: Path) -> None:
    config = BertConfig(vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4)
    with pytest.raises(InputsError, match="is a PyTorch model. Expected a TensorFlow model"):
        convert.export_tensorflow(None, BertModel(config), tfexport.OnnxConfig(config), 18, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["a folder", "a FIFO", "a link to a device", "below a file", "too long"])
def test_a_file_that_cannot_be_written_is_found_before_the_work(kind: str, tmp_path: Path) -> None:
    output = tmp_path / ("o" * 300 if kind == "too long" else "model.onnx")
    if kind == "a folder":
        output.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(output)
    elif kind == "a link to a device":
        output.symlink_to("/dev/null")
    elif kind == "below a file":
        (tmp_path / "file").write_text("mine")
        output = tmp_path / "file" / "model.onnx"
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError):
        convert.export(None, object(), tfexport.OnnxConfig(BertConfig()), 18, output)
    assert sorted(tmp_path.rglob("*")) == before


CUSTOM = """
import sys
from collections import OrderedDict
from pathlib import Path
from transformers.onnx import OnnxConfig, export, validate_model_outputs
from transformers.onnx.config import PatchingSpec
from transformers.onnx.features import FeaturesManager
from transformers.onnx.utils import ParameterFormat, compute_serialized_parameters_size, get_preprocessor

class MyConfig(OnnxConfig):
    @property
    def inputs(self):
        return OrderedDict(input_ids={0: "batch", 1: "sequence"}, attention_mask={0: "batch", 1: "sequence"})

    @property
    def atol_for_validation(self):
        return 1e-4

checkpoint, target = sys.argv[1], Path(sys.argv[2])
model = FeaturesManager.get_model_from_feature("default", checkpoint, framework=sys.argv[3])
config = MyConfig(model.config)
preprocessor = get_preprocessor(checkpoint)
names, outputs = export(preprocessor, model, config, max(14, config.default_onnx_opset), target)
validate_model_outputs(config, preprocessor, model, target, outputs, config.atol_for_validation)
print(names, outputs, compute_serialized_parameters_size(10, ParameterFormat.Float))
"""
BY_FRAMEWORK = """
import sys
from pathlib import Path
import transformers.onnx
from transformers.onnx.convert import export_pytorch, export_tensorflow, validate_model_outputs

checkpoint, target, framework = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
manager = transformers.onnx.FeaturesManager
model = manager.get_model_from_feature("default", checkpoint, framework=framework)
kind, make = manager.check_supported_model_or_raise(model, feature="default")
config = make(model.config)
export = export_pytorch if framework == "pt" else export_tensorflow
names, outputs = export(None, model, config, config.default_onnx_opset, target)
validate_model_outputs(config, None, model, target, outputs, config.atol_for_validation)
print(kind, names, outputs)
"""


def _migrated(script: str) -> str:
    assert "transformers.onnx" in script
    return script.replace("transformers.onnx", "tfexport.onnx")


@pytest.mark.parametrize(("framework", "form"), [("tf", "h5"), ("pt", "pt")])
@pytest.mark.parametrize("script", [CUSTOM, BY_FRAMEWORK], ids=["custom", "by_framework"])
def test_scripts_with_only_their_import_changed(
    script: str, framework: str, form: str, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    ran = support.python(_migrated(script), bert(form), tmp_path / "model.onnx", framework)
    assert ran.code == 0, ran.err
    assert "['input_ids', 'attention_mask'" in ran.out
    assert "['last_hidden_state']" in ran.out
    onnx.checker.check_model(onnx.load(tmp_path / "model.onnx"))


ARGUMENTS = [
    ["--model=org/name", "out"],
    ["-m", "org/name", "--feature", "masked-lm", "--opset", "15", "--atol", "1e-3", "out"],
    ["out", "--model", "x", "--framework", "tf", "--cache_dir", "c", "--preprocessor", "tokenizer"],
    ["out", "--model", "x", "--export_with_transformers"],
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda arguments: str(len(arguments)))
def test_the_command_reads_its_arguments_as_the_seed(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seed, _ = _modules(".__main__")
    parsed: list[Any] = []
    monkeypatch.setattr(seed, "export_with_transformers", parsed.append)
    monkeypatch.setattr(seed, "is_optimum_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["transformers.onnx", *arguments])
    seed.main()
    assert vars(program._parser().parse_args(arguments)) == vars(parsed[0])


def _program(*arguments: str | Path) -> Ran:
    return support._run([sys.executable, "-m", "tfexport.onnx", *map(str, arguments)], {})


def test_the_command_exports(bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = _program(f"--model={bert('pt')}", "--feature=default", "--export_with_transformers", tmp_path / "onnx")
    assert ran.code == 0, ran.err
    assert str(tmp_path / "onnx" / "model.onnx") in ran.err
    assert support.assert_complete(tmp_path / "onnx")["feature"] == "default"


def test_the_command_writes_an_encoder_decoder_as_the_seed_does(tmp_path: Path) -> None:
    support.save_tiny(tmp_path / "checkpoint", "t5", "T5ForConditionalGeneration", "pt")
    assert program.main(["--model", str(tmp_path / "checkpoint"), "--feature=seq2seq-lm", str(tmp_path / "onnx")]) == 0
    assert [file.name for file in (tmp_path / "onnx").glob("*.onnx")] == ["model.onnx"]


def test_errors_of_the_command_are_one_line(tmp_path: Path) -> None:
    ran = _program("--model", tmp_path / "absent", tmp_path / "onnx")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert ran.errors[0].startswith(f"error: {tmp_path / 'absent'} does not exist. Expected ")


def test_the_package_is_an_attribute_as_in_transformers() -> None:
    ran = support.python("import tfexport; print(tfexport.onnx.OnnxConfig.__name__)")
    assert (ran.code, ran.out.strip()) == (0, "OnnxConfig"), ran.err
    ran = support.python("import tfexport; tfexport.onnx.absent")
    assert "module 'tfexport.onnx' has no attribute 'absent'" in ran.err
