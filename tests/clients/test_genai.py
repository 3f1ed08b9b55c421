"""onnxruntime-genai runs a decoder by its ``genai_config.json``; the file is refused for models that it cannot run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfexport
from tests import support
from tests.clients.models import CHECKPOINTS, Exported, generate
from tfexport.errors import UnsupportedFeatureError

NEW, PROMPT = 10, 7
NOT_TWICE = {"no_repeat_ngram_size": 1}
"""Options against repetition: random models repeat themselves, and then the next token does not depend on the text."""


def _write(model: Any, prompts: np.ndarray, **search: Any) -> list[list[int]]:
    """Return the tokens that onnxruntime-genai generates after prompts of one length, int64 ``(batch, prompt)``."""
    import onnxruntime_genai as og

    parameters = og.GeneratorParams(model)
    parameters.set_search_options(max_length=prompts.shape[1] + NEW, batch_size=len(prompts), **search)
    generator = og.Generator(model, parameters)
    generator.append_tokens(prompts.astype(np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    return [[int(token) for token in generator.get_sequence(row)] for row in range(len(prompts))]


def _prompts(rows: int) -> dict[str, np.ndarray]:
    ids = np.random.default_rng(rows).integers(3, 90, (rows, PROMPT))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


@pytest.mark.client("genai")
@pytest.mark.parametrize("name", ["gpt2", "opt", "mistral"])  # OPT takes no positions; Mistral's heads share keys
def test_its_tokens_are_the_sources(name: str, exported: Callable[[str], Exported]) -> None:
    """Greedy, one row and several; and with beams."""
    import onnxruntime_genai as og

    export = exported(name)
    model = og.Model(str(export.folder))
    source, other = export.source("tf"), export.source("pt")
    for rows in (1, 3):
        prompts = _prompts(rows)
        written = _write(model, prompts["input_ids"], **NOT_TWICE)
        assert written == generate("tf", source, prompts, max_new_tokens=NEW, **NOT_TWICE)
    assert len({tuple(row[PROMPT:]) for row in written}) == 3
    # With beams, onnxruntime-genai forbids a token before the softmax and transformers after it.
    prompts = _prompts(1)
    searched = _write(model, prompts["input_ids"], num_beams=3)
    assert searched == generate("pt", other, prompts, max_new_tokens=NEW, num_beams=3)


@pytest.mark.client("genai")
def test_a_text_ends_where_the_configuration_says(exported: Callable[[str], Exported], tmp_path: Path) -> None:
    """The generation config names two end tokens: a row stops at either, and does not contain it."""
    import onnxruntime_genai as og

    export = exported("gpt2")
    prompts = _prompts(1)
    (whole,) = generate("tf", export.source("tf"), prompts, max_new_tokens=NEW)
    end = next(token for token in whole[PROMPT + 2 :] if token not in whole[: PROMPT + 2])
    checkpoint = tmp_path / "checkpoint"
    CHECKPOINTS["gpt2"].save(checkpoint)
    generation = json.loads((checkpoint / "generation_config.json").read_text())
    (checkpoint / "generation_config.json").write_text(json.dumps({**generation, "eos_token_id": [0, end]}))
    tfexport.export_checkpoint(checkpoint, tmp_path / "out", feature="causal-lm-with-past", genai=True)
    (written,) = _write(og.Model(str(tmp_path / "out")), prompts["input_ids"])
    assert written == whole[: whole.index(end, PROMPT)]


def test_the_configuration(exported: Callable[[str], Exported]) -> None:
    """The manifest lists the file, and its numbers are those of the model."""
    folder = exported("mistral").folder
    support.assert_complete(folder)
    values = json.loads((folder / "genai_config.json").read_text())
    model, decoder = values["model"], values["model"]["decoder"]
    assert (model["type"], model["vocab_size"], model["context_length"]) == ("decoder", 99, 64)
    assert [model[f"{name}_token_id"] for name in ("bos", "eos", "pad")] == [1, 2, 0]
    assert {name: decoder[name] for name in decoder if name.startswith(("num_", "head_", "hidden_"))} == {
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 2,
        "head_size": 8,
        "hidden_size": 32,
    }
    assert "position_ids" in decoder["inputs"]
    assert values["search"]["past_present_share_buffer"] is False


@pytest.mark.parametrize(
    ("model_type", "architecture", "feature"),
    [
        ("bert", "BertModel", "default"),
        ("gpt2", "GPT2LMHeadModel", "causal-lm"),
        ("gpt2", "GPT2Model", "default-with-past"),
        ("t5", "T5ForConditionalGeneration", "seq2seq-lm-with-past"),
    ],
)
def test_it_is_refused_before_anything_is_loaded(
    model_type: str, architecture: str, feature: str, tmp_path: Path
) -> None:
    """The weight file is not a weight file: loading it would fail."""
    folder = support.write_config(tmp_path / "x", {"model_type": model_type, "architectures": [architecture]})
    support.write_hdf5(folder / "tf_model.h5")
    with pytest.raises(
        UnsupportedFeatureError, match=rf"{feature} of {model_type} is not one\..* --feature causal-lm-with-past"
    ):
        tfexport.export_checkpoint(folder, tmp_path / "out", feature=feature, genai=True)
    assert not (tmp_path / "out").exists()


def test_the_command_line(cli: Callable[..., support.Ran], exported: Callable[[str], Exported], tmp_path: Path) -> None:
    checkpoint = exported("gpt2").checkpoint
    ran = cli("export", "-m", checkpoint, "--genai", "--feature", "causal-lm", tmp_path / "out")
    assert ran.code == 2 and len(ran.errors) == 1 and "genai_config.json describes decoder-only models" in ran.errors[0]
    ran = cli("export", "-m", checkpoint, "--genai", "--feature", "causal-lm-with-past", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "genai_config.json" in support.assert_complete(tmp_path / "out")["files"]
