"""Python in a checkpoint: transformers can run it in many ways, and tfexport lets it do so in none, whoever answers "yes"."""

from __future__ import annotations

import array
import fcntl
import json
import os
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import support
from tfexport.backends import get_backend
from tfexport.backends.pytorch.loading import load_model
from tfexport.checkpoints import transformers_api
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.framework import FRAMEWORKS
from tfexport.checkpoints.preprocessor import load_preprocessor
from tfexport.errors import InputsError, UnsupportedCheckpointError, UnsupportedModelTypeError

YES = b"y\n" * 2000
IMAGES = {
    "image_processor_type": "Evil",
    "processor_class": "Evil",
    "feature_extractor_type": "Evil",
    "auto_map": dict.fromkeys(("AutoImageProcessor", "AutoProcessor", "AutoFeatureExtractor"), "evil.Evil"),
}
TOKENIZER = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}


@pytest.fixture(autouse=True)
def input_unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answer every question with "yes" on standard input, and check that nothing was asked."""
    reader, writer = os.pipe()
    os.write(writer, YES)
    with os.fdopen(reader, "r") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield
        waiting = array.array("i", [0])
        fcntl.ioctl(reader, termios.FIONREAD, waiting)
        assert waiting[0] == len(YES)
    os.close(writer)


@pytest.fixture
def hostile(bert: Callable[[str], Path], tmp_path: Path) -> Iterator[Path]:
    """A BERT without a tokenizer, beside a Python file that leaves a trace when it is run."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in bert("pt").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    write_code(folder / "evil.py", tmp_path)
    yield folder
    assert not (tmp_path / "RAN").exists()


def write_code(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f"open({str(tmp_path / 'RAN')!r}, 'w').close()\nfrom transformers import BertTokenizer\nclass Evil(BertTokenizer): pass\n"
    )


def test_the_code_leaves_a_trace_where_it_is_run(tmp_path: Path) -> None:
    write_code(tmp_path / "evil.py", tmp_path)
    exec((tmp_path / "evil.py").read_text(), {})
    assert (tmp_path / "RAN").exists()


@pytest.mark.parametrize(
    ("file", "content", "kind"),
    [
        ("tokenizer_config.json", TOKENIZER, "tokenizer"),
        ("tokenizer_config.json", {**TOKENIZER, "auto_map": ["evil.Evil", None]}, "tokenizer"),
        ("tokenizer_config.json", {**TOKENIZER, "auto_map": {"AutoTokenizer": ["o/r--evil.Evil", None]}}, "tokenizer"),
        ("preprocessor_config.json", IMAGES, "image_processor"),
        ("preprocessor_config.json", IMAGES, "feature_extractor"),
        ("processor_config.json", IMAGES, "processor"),
    ],
)
def test_a_preprocessor_of_the_checkpoints_own(file: str, content: dict[str, Any], kind: str, hostile: Path) -> None:
    (hostile / file).write_text(json.dumps(content))
    found = load_preprocessor(open_checkpoint(hostile))
    assert found.value is None
    assert "evil.Evil, and tfexport never runs Python of a checkpoint" in found.kind
    assert file in found.kind
    with pytest.raises(InputsError, match=f"{file} names the Python class .*never runs Python"):
        load_preprocessor(open_checkpoint(hostile), kind)


def test_a_class_of_transformers_is_taken_where_the_checkpoints_own_is_an_alternative(hostile: Path) -> None:
    (hostile / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "word"]))
    (hostile / "tokenizer_config.json").write_text(json.dumps({**TOKENIZER, "tokenizer_class": "BertTokenizer"}))
    found = load_preprocessor(open_checkpoint(hostile))
    assert type(found.value).__name__ == "BertTokenizerFast"


def test_a_model_type_of_the_checkpoints_own(hostile: Path) -> None:
    support.write_config(hostile, {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil"}})
    with pytest.raises(UnsupportedModelTypeError, match="names the Python class evil.Evil, and tfexport never runs"):
        _ = open_checkpoint(hostile).config


def test_a_configuration_that_trusts_itself(hostile: Path) -> None:
    """LightGlue reads the configuration of its detector with the trust that its own configuration states."""
    own = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil"}}
    support.write_config(
        hostile, {"trust_remote_code": True, "model_type": "lightglue", **{"auto_map": own["auto_map"]}}
    )
    support.write_config(hostile / "detector", own)
    write_code(hostile / "detector" / "evil.py", hostile.parent)
    values = json.loads((hostile / "config.json").read_text())
    values["keypoint_detector_config"] = {"model_type": "evil", "_name_or_path": str(hostile / "detector")}
    support.write_config(hostile, values)
    with pytest.raises(UnsupportedCheckpointError, match="never runs Python of a checkpoint"):
        _ = open_checkpoint(hostile).config


def test_a_function_that_generates(tmp_path: Path) -> None:
    """transformers runs a local ``custom_generate/generate.py`` without any trust."""
    support.save_tiny(tmp_path / "model", "gpt2", "GPT2LMHeadModel", "pt")
    write_code(tmp_path / "model" / "custom_generate" / "generate.py", tmp_path)
    checkpoint = open_checkpoint(tmp_path / "model")
    choice = checkpoint.choose_framework("pt", FRAMEWORKS)
    loaded = get_backend("pt").load(checkpoint, "GPT2LMHeadModel", choice)
    assert type(loaded.model).__name__ == "GPT2LMHeadModel"
    assert not (tmp_path / "RAN").exists()


@pytest.mark.parametrize("name", ["_attn_implementation", "attn_implementation"])
def test_a_kernel_of_the_hub(name: str, hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parity and the benchmark leave the implementation of attention to transformers, and not to the configuration."""
    asked: list[str] = []
    monkeypatch.setattr("transformers.modeling_utils.load_and_register_kernel", asked.append)
    values = json.loads((hostile / "config.json").read_text())
    support.write_config(hostile, {**values, name: "evil/kernel"})
    checkpoint = open_checkpoint(hostile)
    loaded = load_model(checkpoint, "BertModel", checkpoint.choose_framework("pt", FRAMEWORKS), attention=None)
    assert loaded.model.config._attn_implementation == "sdpa"
    assert asked == []


def test_a_kernel_that_is_asked_for_all_the_same(hostile: Path) -> None:
    import transformers

    with pytest.raises(transformers_api.RemoteCodeError, match="evil/kernel"), transformers_api.without_remote_code():
        transformers.BertModel.from_pretrained(str(hostile), attn_implementation="evil/kernel")


def test_transformers_is_as_before_after_a_block() -> None:
    from transformers import dynamic_module_utils

    before = dict(vars(dynamic_module_utils))
    with pytest.raises(KeyError), transformers_api.without_remote_code():
        assert vars(dynamic_module_utils) != before
        raise KeyError
    assert vars(dynamic_module_utils) == before
