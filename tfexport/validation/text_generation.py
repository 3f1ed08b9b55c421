"""Let the files of a model that generates write text, and judge it by the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfexport import dummy_inputs
from tfexport.declarations.model_facts import vocabulary_of
from tfexport.declarations.parts import (
    DECODER_PART,
    ENCODER_PART,
    ENCODER_STATES,
    MERGED_PART,
    NEXT_STEP_PART,
    DecoderPart,
)
from tfexport.declarations.with_past import (
    OnnxConfigWithPast,
    OnnxSeq2SeqConfigWithPast,
    decoder_config,
    without_past,
)
from tfexport.graph import USE_CACHE
from tfexport.runtime.errors import runtime_errors
from tfexport.runtime.sessions import open_session
from tfexport.validation import Case, GenerationReport, Tolerance, flatten_inputs, standard_cases
from tfexport.validation.cases import longest_sequence
from tfexport.validation.decoding import LOGITS, STEPS, CachedSession, empty_cache, judge, write
from tfexport.validation.reference import Reference

_ROWS = 3
_LAST_CHUNK = 3
"""The prompt is read in two pieces: its last tokens beside a cache."""


def validate_generation(
    files: Mapping[str, Path], references: Mapping[str, Reference], tolerance: Tolerance
) -> tuple[GenerationReport, ...]:
    """What the files of one model write, judged: the decoders of an encoder-decoder apart, and merged.

    Args:
        files: the ONNX files by their names without ``.onnx``.
        references: what each computes.
        tolerance: what is allowed.

    Returns:
        A report a way to write; none for files that have no cache to write with, or that cannot take a first step.
    """
    alone = references.get("model")
    if alone is not None:
        return (_of_decoder(files, alone, tolerance),) if _writes_alone(alone) else ()
    if NEXT_STEP_PART not in references:
        return ()
    apart = (ENCODER_PART, DECODER_PART, NEXT_STEP_PART)
    return tuple(
        _of_encoder_decoder({name: files[name] for name in names}, references[DECODER_PART], tolerance)
        for names in (apart, (ENCODER_PART, MERGED_PART))
    )


def _writes_alone(reference: Reference) -> bool:
    config = reference.config
    if not isinstance(config, OnnxConfigWithPast) or not config.use_past:
        return False
    return not isinstance(config, OnnxSeq2SeqConfigWithPast) or config._one_side_only_


def _case(reference: Reference) -> Case:
    """Three rows, padded on the left by different lengths where the model takes a mask."""
    cases = standard_cases(reference.config)
    found = next((case for case in cases if case.padding == "left"), cases[-1])
    return replace(found, batch=_ROWS)


def _of_decoder(files: Mapping[str, Path], reference: Reference, tolerance: Tolerance) -> GenerationReport:
    assert isinstance(reference.config, OnnxConfigWithPast)
    whole = reference.about(without_past(reference.config))
    inputs = whole.inputs(_case(whole))
    tokens, mask = inputs["input_ids"], inputs["attention_mask"]
    prompt = tokens.shape[1]
    steps = min(STEPS, longest_sequence(reference.config) - prompt)
    output = next(iter(reference.config.outputs))
    words = vocabulary_of(reference.config._config, reference.preprocessor)
    given = np.random.default_rng(prompt).choice(words.ids, size=(_ROWS, steps))
    session = open_session(files["model"])
    try:
        written = write(
            CachedSession(session, empty_cache(session, _ROWS)),
            tokens,
            mask,
            output=output,
            steps=steps,
            chunks=(prompt - _LAST_CHUNK, _LAST_CHUNK),
            given=None if output == LOGITS else given,
            never=words.pad_id,
        )
    except runtime_errors() as error:
        return _failed(files, error, prompt, steps)
    read = {"input_ids": written.tokens[:, :-1], "attention_mask": written.mask[:, :-1]}
    if "position_ids" in reference.config.inputs:
        read["position_ids"] = dummy_inputs.positions(read["attention_mask"])
    return judge(written, whole.run(read)[output], tolerance, _names(files))


def _of_encoder_decoder(files: Mapping[str, Path], reference: Reference, tolerance: Tolerance) -> GenerationReport:
    assert isinstance(reference.config, DecoderPart)
    config = reference.config.whole
    whole = reference.about(config)
    case = _case(whole)
    inputs = whole.inputs(case)
    # Only what the encoder reads is padded: a text begins with the token that texts begin with.
    start = whole.inputs(replace(case, padding=None))["decoder_input_ids"][:, :1]
    steps = min(STEPS, longest_decoded(decoder_config(config._config)) - 1)
    try:
        step = _decoder_step(files, config, inputs)
        words = vocabulary_of(config._config, whole.preprocessor, decoder=True)
        written = write(step, start, np.ones_like(start), steps=steps, never=words.pad_id)
    except runtime_errors() as error:
        return _failed(files, error, 1, steps)
    read = {**inputs, "decoder_input_ids": written.tokens[:, :-1]}
    if "decoder_attention_mask" in inputs:
        read["decoder_attention_mask"] = written.mask[:, :-1]
    return judge(written, whole.run(read)[LOGITS], tolerance, _names(files))


def _decoder_step(files: Mapping[str, Path], config: OnnxSeq2SeqConfigWithPast, inputs: Mapping[str, Any]) -> Any:
    """Run the encoder, and make the steps of the decoder out of one file or two."""
    encoder = open_session(files[ENCODER_PART])
    fed = {value.name for value in encoder.get_inputs()}
    feeds = {name: array for name, array in flatten_inputs(config, inputs).items() if name in fed}
    state = {ENCODER_STATES: encoder.run(["last_hidden_state"], feeds)[0]}
    if "attention_mask" in feeds:
        state["encoder_attention_mask"] = feeds["attention_mask"]
    if MERGED_PART in files:
        session = open_session(files[MERGED_PART])
        later = CachedSession(session, {**state, **empty_cache(session, _ROWS), USE_CACHE: np.array([False])})
        first = later
    else:
        first = CachedSession(open_session(files[DECODER_PART]), state)
        later = CachedSession(open_session(files[NEXT_STEP_PART]), state)
    steps = 0

    def step(feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        nonlocal steps
        outputs = (first if steps == 0 else later)(feeds)
        if steps == 0:
            later.state |= {**first.state, USE_CACHE: np.array([True])}
        steps += 1
        return outputs

    return step


def longest_decoded(config: Any) -> int:
    """Tokens that a decoder has positions for."""
    for name in ("max_target_positions", "max_decoder_position_embeddings", "max_position_embeddings", "n_positions"):
        length = getattr(config, name, None)
        if isinstance(length, int) and length > 0:
            return length
    return 512


def _failed(files: Mapping[str, Path], error: Exception, prompt: int, steps: int) -> GenerationReport:
    nothing = float("nan")
    problem = f"ONNX Runtime fails while generating: {error}"
    return GenerationReport(_names(files), _ROWS, prompt, steps, nothing, nothing, problem=problem)


def _names(files: Mapping[str, Path]) -> tuple[str, ...]:
    return tuple(path.name for path in files.values())
