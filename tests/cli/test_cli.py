"""The command line: exit codes, streams, flags, and what it does not import."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tfexport
from tests import support
from tests.support import Ran
from tfexport import errors
from tfexport.declarations.architectures import declarations
from tfexport.declarations.features import supported
from tfexport.errors import TfExportError

Cli = Callable[..., Ran]
STAGES = ["inspect", "load", "convert", "write", "validate", "publish"]


def _screen_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("form", ["h5", "pt"])
def test_an_export(form: str, cli: Cli, bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = cli("export", "-m", bert(form), tmp_path / "out")
    assert ran.code == 0
    assert _screen_lines(ran.err) == STAGES
    manifest = support.assert_complete(tmp_path / "out")
    assert manifest["validated"] is True
    framework = {"h5": "TensorFlow", "pt": "PyTorch"}[form]
    for fragment in (str(tmp_path / "out"), framework, "input_ids[batch, sequence]", "yes, 5 of 5 cases", "opset 18"):
        assert fragment in " ".join(ran.out.split())


def test_json_is_the_manifest_alone(cli: Cli, bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = cli("export", "--json", "--model", bert("h5"), tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == json.loads((tmp_path / "out" / "tfexport.json").read_text())
    support.assert_complete(tmp_path / "out")


@pytest.mark.parametrize("flag", ["--cache-dir", "--cache_dir"])
def test_every_flag_of_the_seed(flag: str, cli: Cli, classifier: Callable[[str], Path], tmp_path: Path) -> None:
    """``python -m transformers.onnx`` with the program's name changed."""
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    for file in classifier("h5").iterdir():
        (checkpoint / file.name).write_bytes(file.read_bytes())
    support.small_tokenizer(checkpoint)
    ran = cli(
        "export",
        f"--model={checkpoint}",
        "--feature=sequence-classification",
        "--opset=14",
        "--atol=1e-4",
        "--framework=tf",
        f"{flag}={tmp_path}",
        "--preprocessor=tokenizer",
        "--export_with_transformers",
        tmp_path / "out",
    )
    assert ran.code == 0, ran.err
    manifest = support.assert_complete(tmp_path / "out")
    assert (manifest["feature"], manifest["opset"]) == ("sequence-classification", 14)
    assert (manifest["validation"]["atol"], manifest["preprocessor"]) == (1e-4, "tokenizer")
    assert manifest["framework"]["reason"] == "TensorFlow, as asked for"
    assert {"config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"} <= set(manifest["files"])


def test_flags_of_the_seed_are_all_there() -> None:
    """Read from the seed's own parser."""
    import inspect

    import typer
    from transformers.onnx import __main__ as seed

    from tfexport.cli import app

    commands: Any = typer.main.get_command(app)
    command = commands.commands["export"]
    ours = {flag for parameter in command.params for flag in parameter.opts}
    source = inspect.getsource(seed)
    theirs = {line.split('"')[1] for line in source.split("add_argument(")[1:] for line in [line[:60]] if '"--' in line}
    assert len(theirs) >= 7
    assert theirs - ours == set()


@pytest.mark.parametrize("preprocessor", ["tokenizer", "feature_extractor", "image_processor", "processor"])
def test_a_preprocessor_that_the_checkpoint_lacks(
    preprocessor: str, cli: Cli, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    ran = cli("export", "-m", bert("h5"), "--preprocessor", preprocessor, tmp_path / "out")
    assert ran.code == 2
    assert len(ran.errors) == 1 and f"has no {preprocessor} that loads" in ran.errors[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preprocessor", "magic"], "'magic' is not a kind of preprocessor"),
        (["--framework", "jax"], "'jax' is not a framework"),
        (["--feature", "poetry"], "'poetry' is not a feature"),
        (["--feature", "seq2seq-lm"], "bert does not support the feature 'seq2seq-lm'"),
        (["--opset", "99"], "opset 99 cannot be written"),
        (["--opset", "3"], "opset 3 cannot be written"),
        (["--opset", "8"], "writes opsets from 9"),
        (["--atol", "nan"], "atol is nan"),
        (["--rtol=-1"], "rtol is -1.0"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, cli: Cli, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    ran = cli("export", "-m", bert("h5"), *arguments, tmp_path / "out")
    assert ran.code == 2 and ran.out == ""
    assert len(ran.errors) == 1 and message in ran.errors[0]
    assert set(_screen_lines(ran.err)) - set(ran.errors) <= set(STAGES)
    assert "unexpected" not in ran.err and "Traceback" not in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["export"],
        ["export", "out"],
        ["export", "-m", "x"],
        ["export", "-m", "x", "--opset", "many", "out"],
        ["export", "-m", "x", "--nonsense", "out"],
        ["nonsense"],
    ],
)
def test_usage_is_exit_code_2(arguments: list[str], cli: Cli) -> None:
    ran = cli(*arguments)
    assert ran.code == 2 and len(ran.errors) == 1
    usage, error = ran.err.splitlines()
    assert usage.startswith("Usage: tfexport") and error.endswith("--help'.")


@pytest.mark.parametrize("framework", ["tf", "pt"])
def test_an_invalid_export_is_not_published(
    framework: str, cli: Cli, bert: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = bert({"tf": "h5", "pt": "pt"}[framework])
    ran = cli("export", "-m", checkpoint, "--atol", "0", "--rtol", "0", tmp_path / "out")
    assert ran.code == 1
    assert len(ran.errors) == 1 and "disagrees with its source" in ran.errors[0] and "--keep-invalid" in ran.errors[0]
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_export_leaves_the_earlier_one(cli: Cli, bert: Callable[[str], Path], tmp_path: Path) -> None:
    assert cli("export", "-m", bert("h5"), tmp_path / "out").code == 0
    before = support.snapshot(tmp_path / "out")
    assert cli("export", "-m", bert("h5"), "--atol", "0", "--rtol", "0", tmp_path / "out").code == 1
    assert support.snapshot(tmp_path / "out") == before


def test_keep_invalid(cli: Cli, bert: Callable[[str], Path], tmp_path: Path) -> None:
    arguments = ("--atol", "0", "--rtol", "0", "--keep-invalid")
    ran = cli("export", "-m", bert("h5"), *arguments, tmp_path / "out")
    assert ran.code == 1 and ran.errors == []
    manifest = support.assert_complete(tmp_path / "out")
    assert manifest["validated"] is False
    assert (manifest["validation"]["atol"], manifest["validation"]["rtol"]) == (0, 0)
    assert "NO, 0 of 5 cases" in " ".join(ran.out.split())
    ran = cli("export", "--json", "-m", bert("h5"), *arguments, tmp_path / "out")
    assert ran.code == 1 and json.loads(ran.out)["validated"] is False


def test_debug_shows_the_traceback(cli: Cli, tmp_path: Path) -> None:
    ran = cli("export", "-m", tmp_path / "nowhere", "--debug", tmp_path / "out")
    assert ran.code == 2 and len(ran.errors) == 1
    assert "Traceback" in ran.err and "CheckpointNotFoundError" in ran.err


def test_features(cli: Cli) -> None:
    ran = cli("features")
    assert ran.code == 0
    lines = [line.split() for line in _screen_lines(ran.out)]
    assert lines[0] == ["model", "type", "feature", "TensorFlow", "PyTorch"]
    assert [line[0] for line in lines[1:]] == [entry.model_type for entry in supported()]
    assert ["flaubert", "default", "TFFlaubertModel", "FlaubertModel"] in lines
    assert ["bloom", "default", "-", "BloomModel"] in lines


@pytest.mark.parametrize("name", ["gpt-neo", "gpt_neo"])
def test_features_of_a_type(name: str, cli: Cli) -> None:
    ran = cli("features", name, "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == [
        {"model_type": "gpt-neo", "feature": "default", "pt": "GPTNeoModel"},
        {"model_type": "gpt-neo", "feature": "default-with-past", "pt": "GPTNeoModel"},
        {"model_type": "gpt-neo", "feature": "causal-lm", "pt": "GPTNeoForCausalLM"},
        {"model_type": "gpt-neo", "feature": "causal-lm-with-past", "pt": "GPTNeoForCausalLM"},
        {"model_type": "gpt-neo", "feature": "sequence-classification", "pt": "GPTNeoForSequenceClassification"},
    ]


def test_features_as_json(cli: Cli) -> None:
    found = json.loads(cli("features", "--json").out)
    assert {entry["model_type"] for entry in found} == set(declarations())
    assert len(found) == len(supported())


def test_features_of_an_unknown_type(cli: Cli) -> None:
    ran = cli("features", "transformer-xxl")
    assert (ran.code, ran.out) == (2, "") and len(ran.errors) == 1
    assert "'transformer-xxl' is not supported. Supported types: albert" in ran.errors[0]


def test_version(cli: Cli) -> None:
    assert cli("--version") == Ran(0, f"{tfexport.__version__}\n", "")


def test_all_is_the_public_namespace() -> None:
    assert set(dir(tfexport)) == set(tfexport.__all__) and len(set(tfexport.__all__)) == len(tfexport.__all__)
    for name in tfexport.__all__:
        assert getattr(tfexport, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = tfexport.nonsense


def test_what_is_imported_for_type_checkers_is_what_is_exported() -> None:
    tree = ast.parse((support.ROOT / "tfexport" / "__init__.py").read_text())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    imported = {alias.asname: f"tfexport.{tfexport._HOMES[alias.name]}" for node in imports for alias in node.names}
    assert imported == {alias.name: node.module for node in imports for alias in node.names}
    assert {*imported, "__version__"} == set(tfexport.__all__)


def test_every_error_is_public() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TfExportError)]
    assert len(kinds) > 20
    assert [kind for kind in kinds if getattr(tfexport, kind.__name__) is not kind] == []


def test_both_names_of_the_export_are_one_function() -> None:
    assert tfexport.export_model is tfexport.export_checkpoint


# In processes of their own -------------------------------------------------------------------------------------------

FRAMEWORKS = ("tensorflow", "torch", "transformers", "tf_keras", "keras", "tf2onnx", "onnxruntime", "onnx")


@pytest.mark.parametrize(
    "code",
    [
        "import tfexport",
        "import tfexport; tfexport.__version__; dir(tfexport)",
        "import tfexport.cli",
        "from tests.support import run_in_process; assert run_in_process(['--help']) == 0",
        "from tests.support import run_in_process; assert run_in_process(['export', '--help']) == 0",
    ],
)
def test_no_framework_is_imported(code: str) -> None:
    heavy = f"set({FRAMEWORKS}) & set(sys.modules)"
    # tests.support itself imports transformers: it is emptied of that first
    code = code.replace("from tests.support import run_in_process; ", RUN_WITHOUT_TESTS)
    ran = support.python(f"import sys\n{code}\nprint(sorted({heavy}), file=sys.stderr)")
    assert ran.code == 0, ran.err
    assert ran.err.splitlines()[-1] == "[]"


RUN_WITHOUT_TESTS = """
from tfexport.cli import app
def run_in_process(arguments):
    try:
        app(arguments)
    except SystemExit as done:
        return done.code
"""


def test_the_screen_of_an_export_in_a_fresh_process(bert: Callable[[str], Path], tmp_path: Path) -> None:
    """TensorFlow says most while it is imported."""
    quiet = support.tfexport("export", "-m", bert("h5"), tmp_path / "quiet", TF_CPP_MIN_LOG_LEVEL="0")
    assert quiet.code == 0
    assert _screen_lines(quiet.err) == STAGES
    loud = support.tfexport("export", "-m", bert("h5"), "--verbose", tmp_path / "loud", TF_CPP_MIN_LOG_LEVEL="0")
    assert loud.code == 0
    assert set(STAGES) < set(_screen_lines(loud.err))
    assert len(_screen_lines(loud.err)) > len(STAGES)


def test_json_in_a_fresh_process(bert: Callable[[str], Path], tmp_path: Path) -> None:
    ran = support.tfexport("export", "-m", bert("pt"), "--json", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["framework"]["name"] == "pt"


def test_doctor() -> None:
    ran = support.tfexport("doctor", "--json")
    report = json.loads(ran.out)
    assert (ran.code, report["healthy"]) == (0, True), report
    status = {finding["subject"]: finding["status"] for finding in report["findings"]}
    assert status["PyTorch"] == status["TensorFlow"] == status["ONNX Runtime"] == "ok"
    assert {"tensorflow", "torch", "transformers", "tf2onnx", "onnxruntime"} <= set(report["versions"])
