"""Validate the files of a model that generates text, as they are used: with their own cache, step by step.

The files generate greedily (`tfexport.validation.decoding`). Then the source reads the whole text once, without a cache: since it
is causal, its logits at each position are those of the step that generated the next token. The logits and the token of every
step are compared, and a report names the first step that differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfexport import dummy_inputs
from tfexport.declarations.model_facts import vocabulary_of
from tfexport.declarations.parts import DECODER_PART, ENCODER_PART, MERGED_PART, NEXT_STEP_PART, DecoderPart
from tfexport.declarations.with_past import (
    OnnxConfigWithPast,
    OnnxSeq2SeqConfigWithPast,
    decoder_config,
    without_past,
)
from tfexport.runtime.errors import runtime_errors
from tfexport.runtime.sessions import open_session
from tfexport.validation.cases import Case, longest_decoded, longest_sequence, standard_cases
from tfexport.validation.decoding import (
    LOGITS,
    STEPS,
    CachedSession,
    EncoderDecoderSteps,
    GeneratedText,
    empty_cache,
    generate,
    without_token,
)
from tfexport.validation.reference import Reference
from tfexport.validation.reports import NOTHING, GenerationReport
from tfexport.validation.tolerance import Tolerance

_ROWS = 3
_LAST_CHUNK = 3
"""Number of tokens in the second of the two pieces in which the prompt is read: it is read beside a cache."""


def validate_generation(
    files: Mapping[str, Path], references: Mapping[str, Reference], tolerance: Tolerance
) -> tuple[GenerationReport, ...]:
    """Validate the text that the files of a model generate.

    Args:
        files: The ONNX files, by name without ``.onnx``.
        references: Reference of each file, by the same names.
        tolerance: The tolerance.

    Returns:
        One report per way to generate: a decoder-only model has one, an encoder-decoder two, with its decoders separate and
        merged. Files without a cache, or without a first step, have none.
    """
    if "model" in references:
        reference = references["model"]
        return (_of_decoder(files, reference, tolerance),) if _is_decoder_only(reference) else ()
    if NEXT_STEP_PART not in references:
        return ()
    separate = (ENCODER_PART, DECODER_PART, NEXT_STEP_PART)
    return tuple(
        _of_encoder_decoder({name: files[name] for name in names}, references[DECODER_PART], tolerance)
        for names in (separate, (ENCODER_PART, MERGED_PART))
    )


def _is_decoder_only(reference: Reference) -> bool:
    config = reference.config
    if not isinstance(config, OnnxConfigWithPast) or not config.use_past:
        return False
    return not isinstance(config, OnnxSeq2SeqConfigWithPast) or config._one_side_only_


def _case(reference: Reference) -> Case:
    """Return a case of three rows, padded on the left by different lengths where the model reads a mask."""
    cases = standard_cases(reference.config)
    found = next((case for case in cases if case.padding == "left"), cases[-1])
    return replace(found, batch=_ROWS)


def _of_decoder(files: Mapping[str, Path], reference: Reference, tolerance: Tolerance) -> GenerationReport:
    """Generate with a decoder-only model. One without logits reads random tokens, and its hidden states are compared."""
    assert isinstance(reference.config, OnnxConfigWithPast)
    whole = reference.about(without_past(reference.config))
    inputs = whole.inputs(_case(whole))
    tokens, mask = inputs["input_ids"], inputs["attention_mask"]
    prompt = tokens.shape[1]
    steps = min(STEPS, longest_sequence(reference.config) - prompt)
    output = next(iter(reference.config.outputs))
    words = vocabulary_of(reference.config._config, reference.preprocessor)
    random = np.random.default_rng(prompt).choice(words.ids, size=(_ROWS, steps))
    session = open_session(files["model"])
    try:
        text = generate(
            CachedSession(session, empty_cache(session, _ROWS)),
            tokens,
            mask,
            output=output,
            steps=steps,
            chunks=(prompt - _LAST_CHUNK, _LAST_CHUNK),
            forced=None if output == LOGITS else random,
            excluded=words.pad_id,
        )
    except runtime_errors() as error:
        return _failed(files, error, prompt, steps)
    read = {"input_ids": text.tokens[:, :-1], "attention_mask": text.mask[:, :-1]}
    if "position_ids" in reference.config.inputs:
        read["position_ids"] = dummy_inputs.positions(read["attention_mask"])
    return compare_text(text, whole.run(read)[output], tolerance, _names(files))


def _of_encoder_decoder(files: Mapping[str, Path], reference: Reference, tolerance: Tolerance) -> GenerationReport:
    """Generate with an encoder and its decoders."""
    assert isinstance(reference.config, DecoderPart)
    config = reference.config.whole
    whole = reference.about(config)
    case = _case(whole)
    inputs = whole.inputs(case)
    # Only the inputs of the encoder are padded: a generated text begins with its start token.
    start = whole.inputs(replace(case, padding=None))["decoder_input_ids"][:, :1]
    steps = min(STEPS, longest_decoded(decoder_config(config._config)) - 1)
    words = vocabulary_of(config._config, whole.preprocessor, decoder=True)
    try:
        step = EncoderDecoderSteps(files, config, inputs)
        text = generate(step, start, np.ones_like(start), steps=steps, excluded=words.pad_id)
    except runtime_errors() as error:
        return _failed(files, error, 1, steps)
    read = {**inputs, "decoder_input_ids": text.tokens[:, :-1]}
    if "decoder_attention_mask" in inputs:
        read["decoder_attention_mask"] = text.mask[:, :-1]
    return compare_text(text, whole.run(read)[LOGITS], tolerance, _names(files))


def compare_text(
    text: GeneratedText, reference: np.ndarray, tolerance: Tolerance, files: Sequence[str]
) -> GenerationReport:
    """Compare a generated text with the source, position by position.

    Args:
        text: The text.
        reference: The source's logits or hidden states for the whole text but its last token, computed without a cache.
        tolerance: The tolerance.
        files: Names of the files that generated the text.
    """
    steps = text.tokens.shape[1] - text.prompt
    batch = len(text.tokens)
    allowed = tolerance.allowed(reference)

    def report(worst: float, problem: str | None, first: int | None = None, ties: int = 0) -> GenerationReport:
        return GenerationReport(tuple(files), batch, text.prompt, steps, worst, allowed, first, ties, problem)

    if reference.shape != text.outputs.shape:
        return report(NOTHING, f"shape {text.outputs.shape}, expected {reference.shape}")
    seen = text.mask[:, :-1] == 1
    if not np.isfinite(text.outputs[seen]).all() or not np.isfinite(reference[seen]).all():
        return report(NOTHING, "NaN or infinite values while generating")
    errors = np.abs(text.outputs.astype(np.float64) - reference.astype(np.float64)).max(-1) * seen
    worst = float(errors.max())
    first, ties = _first_difference(text, reference, allowed) if text.greedy else (None, 0)
    if first is not None:
        return report(worst, f"token {first + 1} of {steps} is not the one that the source generates", first, ties)
    if worst > allowed:
        row, position = (int(i) for i in np.unravel_index(int(errors.argmax()), errors.shape))
        at = max(0, position - text.prompt + 1)
        return report(
            worst, f"differs by {worst:.3g} at step {at} of {steps}, row {row}; {allowed:.3g} is allowed", ties=ties
        )
    return report(worst, None, ties=ties)


def _first_difference(text: GeneratedText, reference: np.ndarray, allowed: float) -> tuple[int | None, int]:
    """Return the first step whose token is not the source's, and the number of tokens that differ only in a tie."""
    ties = 0
    for step in range(text.tokens.shape[1] - text.prompt):
        logits = without_token(reference[:, text.prompt - 1 + step], text.excluded)
        token = text.tokens[:, text.prompt + step]
        behind = logits.max(-1) - np.take_along_axis(logits, token[:, None], -1)[:, 0]
        if (behind > 2 * allowed).any():  # each of the two logits may be off by what is allowed
            return step, ties
        ties += int((behind > 0).sum())
    return None, ties


def _failed(files: Mapping[str, Path], error: Exception, prompt: int, steps: int) -> GenerationReport:
    problem = f"ONNX Runtime fails while generating: {error}"
    return GenerationReport(_names(files), _ROWS, prompt, steps, NOTHING, NOTHING, problem=problem)


def _names(files: Mapping[str, Path]) -> tuple[str, ...]:
    return tuple(path.name for path in files.values())
