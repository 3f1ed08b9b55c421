"""Special tokens outside the vocabulary: generation would never stop, and onnxruntime-genai refuses the directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

import tfexport
from tests import support
from tfexport.errors import UnsupportedFeatureError

VOCABULARY = 33


def _gpt2(folder: Path, **tokens: Any) -> Path:
    """Save a GPT-2 with a vocabulary of letters. Its configuration's own end of text is 50256."""
    config = transformers.GPT2Config(vocab_size=VOCABULARY, n_positions=64, n_embd=32, n_layer=2, n_head=2, **tokens)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def _export(source: Path, feature: str, **options: Any) -> list[str]:
    """Return the caveats about special tokens."""
    result = tfexport.export_checkpoint(source, source.parent / "out", feature=feature, **options)
    return [caveat for caveat in result.manifest["caveats"] if "token_id" in caveat]


@pytest.mark.parametrize("feature", ["causal-lm", "causal-lm-with-past"])
def test_an_end_of_text_that_is_never_written(feature: str, tmp_path: Path) -> None:
    found = _export(_gpt2(tmp_path / "gpt2"), feature)
    ends = [caveat for caveat in found if caveat.startswith("never ends a text")]
    assert len(ends) == 1
    assert "eos_token_id is 50256, and the vocabulary has 33 tokens" in ends[0]
    assert any("bos_token_id is 50256" in caveat for caveat in found)


def test_tokens_of_the_vocabulary(tmp_path: Path) -> None:
    assert _export(_gpt2(tmp_path / "gpt2", eos_token_id=32, bos_token_id=0), "causal-lm-with-past") == []


def test_one_of_several_ends(tmp_path: Path) -> None:
    (caveat,) = _export(_gpt2(tmp_path / "gpt2", eos_token_id=[2, VOCABULARY], bos_token_id=0), "causal-lm-with-past")
    assert f"eos_token_id is {VOCABULARY}," in caveat


def test_a_model_that_writes_no_text(tmp_path: Path) -> None:
    assert _export(_gpt2(tmp_path / "gpt2"), "default") == []


def test_the_first_token_of_a_decoder(tmp_path: Path) -> None:
    config = transformers.T5Config(
        **{"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2},
        **{"decoder_start_token_id": 40, "pad_token_id": 0, "eos_token_id": 1},
    )
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    (caveat,) = _export(tmp_path / "t5", "seq2seq-lm-with-past")
    assert "decoder_start_token_id is 40, and the vocabulary has 40 tokens" in caveat


def test_settings_that_transformers_does_not_save(tmp_path: Path) -> None:
    source = _gpt2(tmp_path / "gpt2", eos_token_id=2, bos_token_id=0)
    values = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(values | {"pad_token_id": -1}))
    (source / "generation_config.json").unlink()
    (caveat,) = _export(source, "causal-lm-with-past")
    assert "pad_token_id is -1" in caveat
    assert not (tmp_path / "out" / "generation_config.json").exists()


def test_genai_refuses_before_anything_is_loaded(tmp_path: Path) -> None:
    source = _gpt2(tmp_path / "gpt2")
    (source / "model.safetensors").unlink()
    support.write_hdf5(source / "tf_model.h5")  # loading it would fail
    with pytest.raises(UnsupportedFeatureError, match=r"eos_token_id is 50256.*33 tokens\. Set the ids"):
        tfexport.export_checkpoint(source, tmp_path / "out", feature="causal-lm-with-past", genai=True)
    assert not (tmp_path / "out").exists()
