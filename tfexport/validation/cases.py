"""The cases of a validation: shapes that differ from the traced one, and masks that differ from row to row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfexport import dummy_inputs
from tfexport.declarations.model_facts import input_rules, vocabulary_of
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs import PAST, TOKEN_IDS, Side, Values

DECODER_AXIS = "decoder_sequence"
IMAGES_AXIS = "image_batch"
"""Of images that are compared with texts: each image with each text, so that their numbers may differ."""


@dataclass(frozen=True)
class Case:
    """One set of inputs, reproducible from these values. None: the model has no such axis, or one of fixed length.

    Attributes:
        batch: samples.
        sequence: tokens.
        choices: candidate answers, of a multiple-choice model.
        padding: the side on which each row is padded by another length; None for full rows.
        decoder: tokens of the decoder, in models whose decoder reads a text of its own.
        image: height and width, in pixels.
        seconds: of audio.
        images: images, in models that compare them with texts, of which there are `batch`.
        past: tokens in the key-value cache.
        values: what the inputs are filled with.
        seed: 0 for the first values drawn, any other for others.
        lengths: of each dynamic axis by its name, in models of which nothing but the signature is known.
    """

    batch: int
    sequence: int | None = None
    choices: int | None = None
    padding: Side | None = None
    decoder: int | None = None
    image: tuple[int, int] | None = None
    seconds: float | None = None
    images: int | None = None
    past: int | None = None
    values: Values = "drawn"
    seed: int = 0
    lengths: tuple[tuple[str, int], ...] | None = None

    @property
    def name(self) -> str:
        """For reports: ``3x13, padded right``; ``2x7 and 4 of the decoder``; ``3, 64x96 pixels``; ``3x2 after 5``."""
        if self.lengths is not None:
            parts = [f"{label} {length}" for label, length in self.lengths] or ["its one shape"]
            return ", ".join([*parts, *self._filling])
        shape = [size for size in (self.batch, self.choices, self.sequence) if size is not None]
        parts = ["x".join(map(str, shape)) + (f" and {self.decoder} of the decoder" if self.decoder else "")]
        if self.images is not None:
            parts[0] += f" and {self.images} images"
        if self.past is not None:
            parts[0] += f" after {self.past}"
        if self.image is not None:
            parts.append("{}x{} pixels".format(*self.image))
        if self.seconds is not None:
            parts.append(f"{self.seconds:g} s")
        return ", ".join([*parts, *self._filling])

    @property
    def _filling(self) -> list[str]:
        padded = [f"padded {self.padding}"] if self.padding else []
        values = [self.values] if self.values != "drawn" else []
        return [*padded, *values, *([f"seed {self.seed}"] if self.seed else [])]


@dataclass(frozen=True)
class _Variation:
    """How a case differs from the traced inputs, for models of every modality."""

    batch: int
    sequence: int
    padding: Side | None = None
    taller: int = 0
    wider: int = 0
    seconds: float = 1.0
    past: int = 0
    values: Values = "drawn"
    seed: int = 0


_STANDARD = (
    _Variation(1, 1, wider=32, seconds=0.5, past=16),
    _Variation(1, 16, taller=32, seconds=1.5),
    _Variation(3, 13, "right", taller=32, wider=64, seconds=0.73, past=5),  # a prime length
    _Variation(2, 7, "left", taller=7, wider=3, seconds=1.01),  # no multiple of any stride
    _Variation(5, 11, seconds=0.9, past=3),
)


_MAXIMUM = 1024
_THOROUGH = (
    *_STANDARD,
    _Variation(1, _MAXIMUM),
    _Variation(3, 8, "to few", past=2),
    _Variation(2, 10, past=1, seed=1),
    _Variation(2, 9, past=1, values="zeros"),
    _Variation(2, 9, past=1, values="largest"),
    _Variation(2, 9, past=1, values="repeated"),
)


def standard_cases(config: OnnxConfig) -> tuple[Case, ...]:
    """The cases for a declaration: only axes that it names vary, and no row is longer than the model can take."""
    return _cases(config, _STANDARD)


def thorough_cases(config: OnnxConfig) -> tuple[Case, ...]:
    """More of them: the longest row that the model takes (no longer than 1024 tokens), rows of which few tokens are left,
    another seed, zeros, the largest values, one value repeated."""
    return _cases(config, _THOROUGH)


def _cases(config: OnnxConfig, variations: tuple[_Variation, ...]) -> tuple[Case, ...]:
    if config._lengths_ is not None:
        return tuple(_cases_of_lengths(config._lengths_, variations))
    labels = {label for axes in config.inputs.values() for label in axes.values()}
    has_choices = bool(labels & {"choice", "num_choices"})
    has_sequence = any("sequence" in label for label in labels)
    has_text = has_sequence or any(name in TOKEN_IDS for name in config.inputs)
    longest = longest_sequence(config)
    has_past = any(name.startswith(PAST) for name in config.inputs)
    height, width = dummy_inputs.image_size(config._config, None)
    cases = [
        Case(
            batch=vary.batch if labels & {"batch", "text_batch"} else config.default_batch_size,
            sequence=_sequence(config, vary, has_sequence, longest) if has_text else None,
            choices=1 + vary.batch % 3 if has_choices else None,
            padding=_padding(vary, has_past)
            if any(name.endswith("attention_mask") for name in config.inputs)
            else None,
            decoder=_fewer(min(vary.sequence, longest)) if DECODER_AXIS in labels else None,
            image=(height + vary.taller, width + vary.wider) if labels & {"height", "width"} else None,
            seconds=vary.seconds if labels & {"samples", "frames"} else None,
            images=_fewer(vary.batch) if IMAGES_AXIS in labels else None,
            past=_past(config, vary, longest) if has_past else None,
            values=vary.values,
            seed=vary.seed,
        )
        for vary in variations
    ]
    return tuple(dict.fromkeys(cases))


def _cases_of_lengths(lengths: Sequence[Mapping[str, int]], variations: tuple[_Variation, ...]) -> Iterator[Case]:
    """Every set of lengths, then the values of the variations; the seeds differ, since the shapes may not."""
    for seed, chosen in enumerate(lengths):
        yield Case(batch=chosen.get("batch", 1), lengths=tuple(chosen.items()), seed=seed)
    few = tuple(lengths[0].items())
    for seed in range(len(lengths), len(_STANDARD)):
        yield Case(batch=lengths[0].get("batch", 1), lengths=few, seed=seed)
    for values in dict.fromkeys(vary.values for vary in variations):
        if values != "drawn":
            yield Case(batch=lengths[0].get("batch", 1), lengths=few, values=values)


def _sequence(config: OnnxConfig, vary: _Variation, dynamic: bool, longest: int) -> int:
    return max(config._shortest_sequence_, min(vary.sequence, longest)) if dynamic else config.default_sequence_length


def _padding(vary: _Variation, has_past: bool) -> Side | None:
    """A text that goes on is padded on its left: nothing can follow a padding on the right."""
    return "left" if vary.padding is not None and has_past else vary.padding


def _past(config: OnnxConfig, vary: _Variation, longest: int) -> int:
    """Tokens in the cache: none too in a decoder on its own, one at least where a first step must have made the rest."""
    least = 1 if any(".encoder." in name for name in config.inputs) else 0
    return max(least, min(vary.past, longest - min(vary.sequence, longest)))


def _fewer(number: int) -> int:
    """Tokens of the decoder beside so many of the encoder, images beside so many texts: a mixed-up axis shows."""
    return 1 + number // 2


def longest_sequence(config: OnnxConfig) -> int:
    """The longest row that the model's positions allow, in tokens."""
    for attribute in ("max_position_embeddings", "n_positions", "max_target_positions"):
        positions = getattr(config._config, attribute, None)
        if isinstance(positions, int) and positions > 0:
            return max(1, positions - 2)  # RoBERTa and its kin keep two positions for padding
    return 512


def case_inputs(config: OnnxConfig, preprocessor: Any, case: Case | None, framework: str) -> dict[str, Any]:
    """The arrays of a case; those to trace with when `case` is None.

    A declaration may make its own inputs, for the framework that it is asked for; they are NumPy arrays from here on.

    Returns:
        Declared name -> array, in the declared order; ``past_key_values`` as nested lists of arrays.
    """
    if config._lengths_ is not None:
        return dict(config.generate_dummy_inputs(preprocessor, **_filled_by_lengths(case)))
    made = config.generate_dummy_inputs(preprocessor, **_arguments(case), framework=framework)
    arrays = {name: _to_numpy(value) for name, value in made.items()}
    tokens = _fewer(config.default_sequence_length) if case is None else case.decoder
    images = _fewer(config.default_batch_size) if case is None else case.images
    arrays = _cut(_cut(arrays, config, DECODER_AXIS, tokens), config, IMAGES_AXIS, images)
    if case is not None and case.past is not None:
        arrays = _with_past(arrays, config, case.past)
    if case is not None:
        arrays = _filled(arrays, config, preprocessor, case)
    if "position_ids" in arrays:
        arrays["position_ids"] = dummy_inputs.positions(arrays["attention_mask"])[:, -arrays["position_ids"].shape[1] :]
    declared = {name.split(".")[0] for name in config.inputs}
    return _in_order({name: value for name, value in arrays.items() if name in declared}, config)


def _filled(arrays: dict[str, Any], config: OnnxConfig, preprocessor: Any, case: Case) -> dict[str, Any]:
    """Arrays with the values and the padding of a case."""
    filled = case.values != "drawn" or case.seed != 0
    words = decoder = None
    if case.padding is not None or (filled and any(name in TOKEN_IDS for name in arrays)):
        words = vocabulary_of(config._config, preprocessor)
        decoder = vocabulary_of(config._config, preprocessor, decoder=True)
    if filled:
        arrays = dummy_inputs.with_values(arrays, case.values, case.seed, words, decoder, input_rules(config._config))
    if case.padding is not None:
        arrays = dummy_inputs.pad_rows(
            arrays, case.padding, words.pad_id if words else None, words=words, decoder_words=decoder
        )
    return arrays


def _filled_by_lengths(case: Case | None) -> dict[str, Any]:
    if case is None or case.lengths is None:
        return {}
    return {"lengths": dict(case.lengths), "values": case.values, "seed": case.seed}


def _arguments(case: Case | None) -> dict[str, Any]:
    """What a declaration is asked for: only sizes that matter, since one's own method may not know the others."""
    if case is None:
        return {}
    height, width = case.image or (None, None)
    asked = {
        "batch_size": case.batch,
        "seq_length": case.sequence,
        "num_choices": case.choices,
        "image_height": height,
        "image_width": width,
        "time_duration": case.seconds,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _cut(arrays: dict[str, Any], config: OnnxConfig, wanted: str, length: int | None) -> dict[str, Any]:
    """Arrays with the axes of one name cut to their own length: they are made as long as the encoder's, or the texts'."""
    cut = dict(arrays)
    for name, axes in config.inputs.items():
        axis = next((axis for axis, label in axes.items() if label == wanted), None)
        if length is not None and axis is not None and isinstance(arrays.get(name), np.ndarray):
            cut[name] = np.take(arrays[name], range(min(length, arrays[name].shape[axis])), axis)
    return cut


def _with_past(arrays: dict[str, Any], config: OnnxConfig, length: int) -> dict[str, Any]:
    """Arrays whose cache holds `length` tokens, or all that it was made with where they are fewer."""
    if PAST not in arrays:
        return arrays
    names = {id(array): name for name, array in _cache(arrays, config).items()}
    made = _past_length(arrays, config)
    if made is None:
        return arrays
    kept = min(length, made)

    def cut(array: np.ndarray) -> np.ndarray:
        axis = _growing_axis(config, names[id(array)])
        return array if axis is None else np.take(array, range(kept), axis)

    shorter = {
        name: array[:, made - kept :]
        for name, array in arrays.items()
        if isinstance(array, np.ndarray) and config.inputs.get(name, {}).get(1, "").startswith("past_")
    }
    return {**arrays, **shorter, PAST: [tuple(cut(array) for array in layer) for layer in arrays[PAST]]}


def _cache(arrays: Mapping[str, Any], config: OnnxConfig) -> Mapping[str, np.ndarray]:
    return config.flatten_output_collection_property(PAST, arrays[PAST])


def _growing_axis(config: OnnxConfig, name: str) -> int | None:
    """The axis of a cached tensor that each step makes longer; None for what the cross attention looks at."""
    if ".encoder." in name:
        return None
    return next((axis for axis, label in config.inputs[name].items() if "past" in label), None)


def _past_length(arrays: Mapping[str, Any], config: OnnxConfig) -> int | None:
    """Tokens in a cache; None where the declaration names no axis for them."""
    name, array = next(iter(_cache(arrays, config).items()))
    axis = _growing_axis(config, name)
    return None if axis is None else int(array.shape[axis])


def actual_case(config: OnnxConfig, case: Case, inputs: Mapping[str, Any]) -> Case:
    """A case with the shape that its inputs really have: a declaration's own inputs may not be of the shape asked for."""
    sizes: dict[str, int] = {}
    for name, axes in config.inputs.items():
        array = inputs.get(name)
        if isinstance(array, np.ndarray):
            for axis, label in axes.items():
                sizes.setdefault(label, array.shape[axis])
    known: dict[str, Any] = {
        "batch": sizes.get("batch", sizes.get("text_batch", case.batch)),
        "sequence": sizes.get("sequence", sizes.get("encoder_sequence", case.sequence)),
        "choices": sizes.get("choice", sizes.get("num_choices", case.choices)),
        "decoder": sizes.get(DECODER_AXIS, case.decoder),
        "images": sizes.get(IMAGES_AXIS, case.images),
    }
    if PAST in inputs:
        known["past"] = _past_length(inputs, config)
    image = (sizes["height"], sizes["width"]) if {"height", "width"} <= set(sizes) else case.image
    return replace(case, **known, image=image)


def _in_order(arrays: Mapping[str, Any], config: OnnxConfig) -> dict[str, Any]:
    order = list(dict.fromkeys(name.split(".")[0] for name in config.inputs))
    return {name: arrays[name] for name in sorted(arrays, key=order.index)}


def _to_numpy(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and not all(isinstance(item, (int, float)) for item in value):
        return type(value)(_to_numpy(item) for item in value)
    return np.asarray(value).copy()  # the padding writes into it; torch's arrays know no copy=True
