"""Generate text with a file: greedily, step by step, with the cache that the file returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfexport.declarations.parts import DECODER_PART, ENCODER_PART, ENCODER_STATES, MERGED_PART, NEXT_STEP_PART
from tfexport.declarations.with_past import OnnxSeq2SeqConfigWithPast
from tfexport.dummy_inputs import PAST, PRESENT, positions
from tfexport.graph import USE_CACHE
from tfexport.runtime.sessions import open_session
from tfexport.validation.inputs import flatten_inputs

STEPS = 32
"""Number of tokens that are generated."""
LOGITS = "logits"


@dataclass(frozen=True)
class GeneratedText:
    """A text that a file generated.

    Attributes:
        tokens: Tokens of the prompt, then the generated ones: int64 ``(batch, tokens)``.
        mask: 0 on padding, else 1: int64 ``(batch, tokens)``.
        outputs: Logits or hidden states at each position but the last: ``(batch, tokens - 1, width)``.
        prompt: Number of tokens of the prompt.
        greedy: Whether each token is the likeliest one; False where the tokens were forced.
        excluded: Token that is never generated; None for no such token.
    """

    tokens: np.ndarray
    mask: np.ndarray
    outputs: np.ndarray
    prompt: int
    greedy: bool = True
    excluded: int | None = None


Step = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def generate(
    step: Step,
    tokens: np.ndarray,
    mask: np.ndarray,
    *,
    output: str = LOGITS,
    steps: int = STEPS,
    chunks: Sequence[int] = (),
    forced: np.ndarray | None = None,
    excluded: int | None = None,
) -> GeneratedText:
    """Generate text, one step after the other.

    Args:
        step: Function that runs the file on new ``input_ids``, an ``attention_mask`` over all tokens so far and
            ``position_ids``, and keeps the cache.
        tokens: The prompt: int64 ``(batch, prompt)``.
        mask: 0 on its padding, else 1: int64 ``(batch, prompt)``.
        output: Name of the output to collect.
        steps: Number of tokens to generate.
        chunks: Lengths of the pieces in which the prompt is read; one piece by default.
        forced: Tokens that replace the likeliest ones, for a model without logits: int64 ``(batch, steps)``.
        excluded: A token that is not generated: padding, which a model may ignore.
    """
    prompt = tokens.shape[1]
    collected: list[np.ndarray] = []
    read = 0
    for length in (*(chunks or (prompt,)), *[1] * (steps - 1)):
        new = slice(read, read + length)
        read += length
        feeds = {"input_ids": tokens[:, new], "attention_mask": mask[:, :read], "position_ids": positions(mask)[:, new]}
        collected.append(step(feeds)[output])
        if read == tokens.shape[1]:
            likeliest = without_token(collected[-1][:, -1], excluded).argmax(-1).astype(np.int64)
            added = likeliest if forced is None else forced[:, read - prompt]
            tokens = np.concatenate([tokens, added[:, None]], axis=1)
            mask = np.concatenate([mask, np.ones_like(mask[:, :1])], axis=1)
    return GeneratedText(tokens, mask, np.concatenate(collected, axis=1), prompt, forced is None, excluded)


def without_token(logits: np.ndarray, excluded: int | None) -> np.ndarray:
    """Return logits by which one token is not the likeliest."""
    if excluded is None or not 0 <= excluded < logits.shape[-1]:
        return logits
    kept = logits.copy()
    kept[..., excluded] = -np.inf
    return kept


class CachedSession:
    """Steps of a file: the cache that the file returns at one step is fed at the next one.

    Args:
        session: An ONNX Runtime session.
        state: Feeds of every step beside its tokens: the first cache, and the states of an encoder.
    """

    def __init__(self, session: Any, state: Mapping[str, np.ndarray]) -> None:
        self._session = session
        self._inputs = [value.name for value in session.get_inputs()]
        self._outputs = [value.name for value in session.get_outputs()]
        self.state = dict(state)

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Run one step, and return the outputs by name."""
        available = {**self.state, **feeds}
        values = self._session.run(None, {name: available[name] for name in self._inputs})
        outputs = dict(zip(self._outputs, values, strict=True))
        self.state |= {
            name.replace(PRESENT, PAST, 1): value for name, value in outputs.items() if name.startswith(PRESENT)
        }
        return outputs


def empty_cache(session: Any, batch: int) -> dict[str, np.ndarray]:
    """Return a cache of no tokens: an array ``(batch, heads, 0, head size)`` for each cached input of a session."""
    return {
        value.name: np.zeros(
            [length if isinstance(length, int) else 0 for length in (batch, *value.shape[1:])], np.float32
        )
        for value in session.get_inputs()
        if value.name.startswith(PAST)
    }


class EncoderDecoderSteps:
    """Steps of an encoder-decoder: the encoder runs once; the first step fills the cache, which later steps read.

    Args:
        files: The encoder, and either the merged decoder or the decoders for the first step and for later ones.
        config: Declaration of the whole model.
        inputs: Inputs of the whole model.
    """

    def __init__(self, files: Mapping[str, Path], config: OnnxSeq2SeqConfigWithPast, inputs: Mapping[str, Any]) -> None:
        state = _encoded(files[ENCODER_PART], flatten_inputs(config, inputs))
        if MERGED_PART in files:
            session = open_session(files[MERGED_PART])
            empty = empty_cache(session, len(state[ENCODER_STATES]))
            self._later = CachedSession(session, {**state, **empty, USE_CACHE: np.array([False])})
            self._first = self._later
        else:
            self._first = CachedSession(open_session(files[DECODER_PART]), state)
            self._later = CachedSession(open_session(files[NEXT_STEP_PART]), state)
        self._has_cache = False

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Run one step of the decoder, and return its outputs by name."""
        if self._has_cache:
            return self._later(feeds)
        outputs = self._first(feeds)
        self._later.state |= {**self._first.state, USE_CACHE: np.array([True])}
        self._has_cache = True
        return outputs


def _encoded(path: Path, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run an encoder, and return the feeds of the decoder that do not change from step to step."""
    encoder = open_session(path)
    read = {value.name for value in encoder.get_inputs()}
    feeds = {name: array for name, array in inputs.items() if name in read}
    state = {ENCODER_STATES: encoder.run(["last_hidden_state"], feeds)[0]}
    return state | ({"encoder_attention_mask": feeds["attention_mask"]} if "attention_mask" in feeds else {})
