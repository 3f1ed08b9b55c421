"""The cases of a validation: shapes that differ from the traced one, and masks that differ from row to row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfexport import dummy_inputs
from tfexport.dummy_inputs import Side
from tfexport.onnx_config import OnnxConfig


@dataclass(frozen=True)
class Case:
    """One set of inputs, reproducible from these values.

    Attributes:
        batch: samples.
        sequence: tokens.
        choices: candidate answers, of a multiple-choice model; None for others.
        padding: the side on which each row is padded by another length; None for full rows.
    """

    batch: int
    sequence: int
    choices: int | None = None
    padding: Side | None = None

    @property
    def name(self) -> str:
        """For reports: ``3x13, padded right``."""
        shape = (self.batch, self.sequence) if self.choices is None else (self.batch, self.choices, self.sequence)
        padded = f", padded {self.padding}" if self.padding else ""
        return "x".join(map(str, shape)) + padded


_STANDARD = (
    Case(1, 1),
    Case(1, 16),
    Case(3, 13, padding="right"),  # a prime length
    Case(2, 7, padding="left"),
    Case(5, 11),
)


def standard_cases(config: OnnxConfig) -> tuple[Case, ...]:
    """The cases for a declaration: only axes that it names vary, and no row is longer than the model can take."""
    labels = {label for axes in config.inputs.values() for label in axes.values()}
    has_choices = bool(labels & {"choice", "num_choices"})
    has_sequence = any("sequence" in label for label in labels)
    longest = longest_sequence(config)
    return tuple(
        Case(
            batch=case.batch if "batch" in labels else config.default_batch_size,
            sequence=min(case.sequence, longest) if has_sequence else config.default_sequence_length,
            choices=1 + case.batch % 3 if has_choices else None,
            padding=case.padding,
        )
        for case in _STANDARD
    )


def longest_sequence(config: OnnxConfig) -> int:
    """The longest row that the model's positions allow, in tokens."""
    for attribute in ("max_position_embeddings", "n_positions"):
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
    arguments: dict[str, Any] = {}
    if case is not None:
        arguments = {"batch_size": case.batch, "seq_length": case.sequence}
        if case.choices is not None:
            arguments["num_choices"] = case.choices
    made = config.generate_dummy_inputs(preprocessor, **arguments, framework=framework)
    arrays = {name: _to_numpy(value) for name, value in made.items()}
    if case is not None and case.padding is not None:
        words = dummy_inputs.vocabulary(config._config, preprocessor)
        arrays = dummy_inputs.pad_rows(arrays, case.padding, words.pad_id)
    declared = {name.split(".")[0] for name in config.inputs}
    return _in_order({name: value for name, value in arrays.items() if name in declared}, config)


def actual_case(config: OnnxConfig, case: Case, inputs: Mapping[str, Any]) -> Case:
    """A case with the shape that its inputs really have: a declaration's own inputs may not be of the shape asked for."""
    sizes: dict[str, int] = {}
    for name, axes in config.inputs.items():
        array = inputs.get(name)
        if isinstance(array, np.ndarray):
            for axis, label in axes.items():
                sizes.setdefault(label, array.shape[axis])
    choices = sizes.get("choice", sizes.get("num_choices", case.choices))
    return replace(
        case, batch=sizes.get("batch", case.batch), sequence=sizes.get("sequence", case.sequence), choices=choices
    )


def _in_order(arrays: Mapping[str, Any], config: OnnxConfig) -> dict[str, Any]:
    order = list(dict.fromkeys(name.split(".")[0] for name in config.inputs))
    return {name: arrays[name] for name in sorted(arrays, key=order.index)}


def _to_numpy(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and not all(isinstance(item, (int, float)) for item in value):
        return type(value)(_to_numpy(item) for item in value)
    return np.asarray(value).copy()  # the padding writes into it; torch's arrays know no copy=True
