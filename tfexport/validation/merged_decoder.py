"""The merged decoder as something to validate: each case goes through one of its branches."""

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
from tfexport.validation import Case, standard_cases
from tfexport.validation.reference import Reference


class MergedPart(OnnxConfig):
    """The declaration of the merged decoder: the inputs of both, and the outputs of the first step.

    Args:
        first: the decoder for the first step.
        later: the decoder for later steps.
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
class MergedSource:
    """What the merged decoder is compared with: the model itself, as the first step calls it, or as later ones do.

    Attributes:
        first: the decoder for the first step.
        later: the decoder for later steps.
    """

    first: Reference
    later: Reference

    @property
    def config(self) -> MergedPart:
        """The declaration."""
        return MergedPart(_part(self.first), _part(self.later))

    def cases(self) -> tuple[Case, ...]:
        """The cases of both branches."""
        return (*standard_cases(self.first.config), *standard_cases(self.later.config))

    def inputs(self, case: Case) -> dict[str, Any]:
        """The arrays of a case: through the later step's branch where it has a past, which the first step's ignores."""
        later = case.past is not None
        inputs = self.first.inputs(case)
        if later:
            inputs |= self.later.inputs(case)
        else:
            inputs[PAST] = random_cache(_part(self.first).whole, len(inputs["input_ids"]), 0, 0)
        return {**inputs, USE_CACHE: np.array([later])}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The outputs of the model itself; a later step hands on the keys and values of the cross attention."""
        reference = self.later if inputs[USE_CACHE].all() else self.first
        taken = {name.split(".")[0] for name in reference.config.inputs}
        outputs = reference.run({name: value for name, value in inputs.items() if name in taken})
        if reference is self.first:
            return outputs
        past = self.config.flatten_output_collection_property(PAST, inputs[PAST])
        handed_on = {name.replace(PAST, PRESENT, 1): array for name, array in past.items() if ".encoder." in name}
        return handed_on | outputs


def _part(reference: Reference) -> DecoderPart:
    assert isinstance(reference.config, DecoderPart)
    return reference.config
