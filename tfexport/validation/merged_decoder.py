"""The reference of the merged decoder: each case goes through one of the two branches of the file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.parts import DecoderPart
from tfexport.declarations.with_past import random_cache
from tfexport.dummy_inputs import PAST, PRESENT
from tfexport.graph import USE_CACHE
from tfexport.validation.cases import Case, standard_cases
from tfexport.validation.reference import Reference


class MergedPart(OnnxConfig):
    """The declaration of the merged decoder: the inputs of both, and the outputs of the first step.

    Args:
        first: The decoder for the first step.
        later: The decoder for later steps.
    """

    def __init__(self, first: DecoderPart, later: DecoderPart) -> None:
        super().__init__(first._config, task=first.task)
        self._first, self._later = first, later

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        return OrderedDict({**self._later.inputs, **self._first.inputs, USE_CACHE: {}})

    @property
    def outputs(self) -> Mapping[str, Mapping[int, str]]:
        return self._first.outputs

    def flatten_output_collection_property(self, name: str, field: Any) -> dict[str, Any]:  # type: ignore[override]
        return self._first.flatten_output_collection_property(name, field)


@dataclass(frozen=True)
class MergedReference:
    """The model, called as the first step calls it, or as later steps do.

    Attributes:
        first: The decoder for the first step.
        later: The decoder for later steps.
    """

    first: Reference
    later: Reference

    @property
    def config(self) -> MergedPart:
        """The declaration of the merged decoder."""
        return MergedPart(_part(self.first), _part(self.later))

    def cases(self) -> tuple[Case, ...]:
        """Return the cases of both branches."""
        return (*standard_cases(self.first.config), *standard_cases(self.later.config))

    def inputs(self, case: Case) -> dict[str, Any]:
        """Return the arrays of a case, which goes through the branch of later steps where it has a past."""
        later = case.past is not None
        inputs = self.first.inputs(case)
        if later:
            inputs |= self.later.inputs(case)
        else:
            inputs[PAST] = random_cache(_part(self.first).whole, len(inputs["input_ids"]), 0, 0)
        return {**inputs, USE_CACHE: np.array([later])}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return the outputs of the model; a later step passes on the keys and values of the cross attention."""
        reference = self.later if inputs[USE_CACHE].all() else self.first
        taken = {name.split(".")[0] for name in reference.config.inputs}
        outputs = reference.run({name: value for name, value in inputs.items() if name in taken})
        if reference is self.first:
            return outputs
        past = self.config.flatten_output_collection_property(PAST, inputs[PAST])
        passed_on = {name.replace(PAST, PRESENT, 1): array for name, array in past.items() if ".encoder." in name}
        return passed_on | outputs


def _part(reference: Reference) -> DecoderPart:
    assert isinstance(reference.config, DecoderPart)
    return reference.config
