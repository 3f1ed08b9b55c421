"""The inputs of a case: arrays by declared name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tfexport import dummy_inputs
from tfexport.declarations.model_facts import input_rules, vocabulary_of
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs import PAST, TOKEN_IDS
from tfexport.validation.cases import DECODER_AXIS, IMAGES_AXIS, Case, fewer


def case_inputs(config: OnnxConfig, preprocessor: Any, case: Case | None, framework: str) -> dict[str, Any]:
    """Return the arrays of a case, or those to trace with when `case` is None.

    A user's declaration may make its own inputs, for a framework; they are NumPy arrays from here on.

    Args:
        config: The declaration.
        preprocessor: A tokenizer or another preprocessor, or None.
        case: The case.
        framework: Framework for which a declaration of the user makes its inputs.

    Returns:
        Arrays by declared name, in the declared order; ``past_key_values`` as nested lists of arrays.
    """
    if config._lengths_ is not None:
        return dict(config.generate_dummy_inputs(preprocessor, **_filled_by_lengths(case)))
    made = config.generate_dummy_inputs(preprocessor, **_arguments(case), framework=framework)
    arrays = {name: _to_numpy(value) for name, value in made.items()}
    tokens = fewer(config.default_sequence_length) if case is None else case.decoder
    images = fewer(config.default_batch_size) if case is None else case.images
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
    """Return arrays with the values and the padding of a case."""
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
    """Return the sizes that matter, since the method of a user's declaration may not know the others."""
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
    """Return arrays with the axes of one name cut to a length: they are made as long as the encoder's, or the texts'."""
    cut = dict(arrays)
    for name, axes in config.inputs.items():
        axis = next((axis for axis, label in axes.items() if label == wanted), None)
        if length is not None and axis is not None and isinstance(arrays.get(name), np.ndarray):
            cut[name] = np.take(arrays[name], range(min(length, arrays[name].shape[axis])), axis)
    return cut


def _with_past(arrays: dict[str, Any], config: OnnxConfig, length: int) -> dict[str, Any]:
    """Return arrays whose cache holds `length` tokens, or all its tokens where they are fewer."""
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
    """Return the axis of a cached tensor that each step makes longer; None for a tensor of the cross attention."""
    if ".encoder." in name:
        return None
    return next((axis for axis, label in config.inputs[name].items() if "past" in label), None)


def _past_length(arrays: Mapping[str, Any], config: OnnxConfig) -> int | None:
    """Return the number of tokens in a cache; None where the declaration does not name their axis."""
    name, array = next(iter(_cache(arrays, config).items()))
    axis = _growing_axis(config, name)
    return None if axis is None else int(array.shape[axis])


def actual_case(config: OnnxConfig, case: Case, inputs: Mapping[str, Any]) -> Case:
    """Return a case with the shape of its inputs: those of a user's declaration may have another shape than the case."""
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


def flatten_inputs(config: OnnxConfig, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the feeds of a session: one array per declared name, int32 as int64."""
    flat: dict[str, np.ndarray] = {}
    for name, value in inputs.items():
        if isinstance(value, (list, tuple)):
            flat.update(config.flatten_output_collection_property(name, value))
        else:
            flat[name] = value
    return {name: value.astype(np.int64) if value.dtype == np.int32 else value for name, value in flat.items()}
