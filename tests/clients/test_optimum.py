"""optimum's ONNX Runtime classes load the published directory unchanged, and generate the text of transformers' `generate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tests.clients.models import Exported, generate

pytestmark = pytest.mark.client("optimum")

NEW, BEAMS = 10, 3
LENGTHS = (7, 5, 3)
PADDING = 0


def _prompts(side: str) -> dict[str, np.ndarray]:
    """Return rows of unequal lengths, padded on one side."""
    rng = np.random.default_rng(0)
    ids = rng.integers(3, 90, (len(LENGTHS), max(LENGTHS)))
    columns = np.arange(max(LENGTHS))
    columns = columns if side == "right" else columns[::-1]
    mask = (columns < np.array(LENGTHS)[:, None]).astype(np.int64)
    return {"input_ids": np.where(mask == 1, ids, PADDING), "attention_mask": mask}


def _compare(
    clients: Sequence[Any], exported: Exported, inputs: dict[str, np.ndarray], greedy: str, beams: str, **settings: Any
) -> None:
    """Greedy and with beams, tokens are those of `generate` in a framework, also where a row ends before the others.

    With beams that is PyTorch's where it has these weights, as the client's is: TensorFlow's search (transformers 4.57.6)
    returns a beam that has ended before a likelier one that has not.
    """
    settings = {"max_new_tokens": NEW, "pad_token_id": PADDING, **settings}
    source = exported.source(greedy)
    free = generate(greedy, source, inputs, **settings)
    assert len({tuple(row[-NEW:]) for row in free}) == len(free)  # what is written depends on what was read
    end = {"eos_token_id": next(token for token in free[0][2 - NEW : -1] if token not in free[1][-NEW:])}
    stopped = generate(greedy, source, inputs, **settings, **end)
    assert stopped[0][-1] == PADDING
    source = source if beams == greedy else exported.source(beams)
    searched = generate(beams, source, inputs, **settings, num_beams=BEAMS)
    assert searched != free
    for client in clients:
        assert generate("pt", client, inputs, **settings) == free
        assert generate("pt", client, inputs, **settings, **end) == stopped
        assert generate("pt", client, inputs, **settings, num_beams=BEAMS) == searched


@pytest.mark.parametrize(
    ("name", "greedy", "beams"),
    [
        ("gpt2", "tf", "pt"),
        ("gptj", "tf", "pt"),
        ("opt", "tf", "pt"),
        ("xglm", "tf", "tf"),  # TensorFlow has a head of its own, PyTorch ties it to the embeddings
        ("mistral", "tf", "pt"),
        ("gpt-neo of PyTorch", "pt", "pt"),
    ],
)
def test_causal_lm(name: str, greedy: str, beams: str, exported: Callable[[str], Exported]) -> None:
    from optimum.onnxruntime import ORTModelForCausalLM

    export = exported(name)
    client = ORTModelForCausalLM.from_pretrained(export.folder)
    assert client.can_use_cache
    _compare([client], export, _prompts("left"), greedy, beams)


@pytest.mark.parametrize("name", ["t5", "bart", "marian"])
def test_seq2seq_lm(name: str, exported: Callable[[str], Exported]) -> None:
    """With the decoder in one file, and in two."""
    from optimum.onnxruntime import ORTModelForSeq2SeqLM

    export = exported(name)
    clients = [ORTModelForSeq2SeqLM.from_pretrained(export.folder, use_merged=merged) for merged in (True, False)]
    assert [client.decoder.is_merged for client in clients] == [True, False]
    # Random models repeat themselves. When repetition is forbidden, the next token depends on the text.
    _compare(clients, export, _prompts("right"), "tf", "pt", no_repeat_ngram_size=1)


def test_whisper(exported: Callable[[str], Exported]) -> None:
    """PyTorch's `generate`, and so the client's, omits the first token and the end; TensorFlow's does not."""
    from optimum.onnxruntime import ORTModelForSpeechSeq2Seq

    export = exported("whisper")
    client = ORTModelForSpeechSeq2Seq.from_pretrained(export.folder)
    inputs = {"input_features": np.random.default_rng(0).normal(size=(2, 14, 38)).astype(np.float32)}
    settings = {"no_repeat_ngram_size": 1}
    _compare([client], export, inputs, "pt", "pt", **settings)
    ours = generate("tf", export.source("tf"), inputs, max_new_tokens=NEW, **settings)
    assert generate("pt", client, inputs, max_new_tokens=NEW, **settings) == [row[1:] for row in ours]


def test_speech_to_text(exported: Callable[[str], Exported]) -> None:
    """Recordings of unequal lengths."""
    from optimum.onnxruntime import ORTModelForSpeechSeq2Seq

    export = exported("speech-to-text")
    client = ORTModelForSpeechSeq2Seq.from_pretrained(export.folder)
    mask = (np.arange(40) < np.array([[40], [31]])).astype(np.int64)
    features = np.random.default_rng(0).normal(size=(2, 40, 14)).astype(np.float32)
    inputs: dict[str, np.ndarray] = {"input_features": features, "attention_mask": mask}
    # TensorFlow has a head of its own, PyTorch ties it to the embeddings.
    _compare([client], export, inputs, "tf", "tf", no_repeat_ngram_size=1)


def test_vision2seq(exported: Callable[[str], Exported]) -> None:
    from optimum.onnxruntime import ORTModelForVision2Seq

    export = exported("vision-encoder-decoder")
    client = ORTModelForVision2Seq.from_pretrained(export.folder)
    size = client.config.encoder.image_size
    pixels = np.random.default_rng(0).normal(size=(2, 3, size, size)).astype(np.float32)
    _compare([client], export, {"pixel_values": pixels}, "tf", "pt", no_repeat_ngram_size=1)
