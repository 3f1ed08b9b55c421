"""The reference of a file: the model that the file is compared with, under the declaration of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tfexport.backends import Backend
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.parts import DecoderPart, EncoderPart
from tfexport.declarations.with_past import OnnxSeq2SeqConfigWithPast, random_cache
from tfexport.dummy_inputs import PAST
from tfexport.validation.cases import Case
from tfexport.validation.inputs import case_inputs


class FileReference(Protocol):
    """Interface that `tfexport.validation.validate_file` requires of a reference. `Reference` and `MergedReference` have it."""

    @property
    def config(self) -> OnnxConfig:
        """The declaration of the file."""

    def inputs(self, case: Case) -> Mapping[str, Any]:
        """Return the arrays of a case by declared name; a cache as nested sequences."""

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """Return the outputs of the model by name."""


@dataclass(frozen=True)
class Reference:
    """A model, or a part of a model, that makes inputs and runs on them.

    Attributes:
        backend: Backend of the framework.
        model: The framework's model: the whole model, also where the declaration is about a part.
        config: The declaration.
        preprocessor: A tokenizer or another preprocessor, or None.
    """

    backend: Backend
    model: Any
    config: OnnxConfig
    preprocessor: Any = None

    def about(self, config: OnnxConfig) -> Reference:
        """Return a reference to the same model under another declaration."""
        return Reference(self.backend, self.model, config, self.preprocessor)

    def inputs(self, case: Case | None = None) -> dict[str, Any]:
        """Return the arrays of a case, or those to trace with when `case` is None. A cache is nested sequences of arrays.

        The encoder's states that a decoder reads are computed by the encoder.

        Raises:
            InputsError: Dummy inputs cannot be made.
            TracingError: The encoder fails on its inputs.
        """
        config = self.config
        if isinstance(config, EncoderPart):
            return config.inputs_of(self._of(config.whole, case))
        if isinstance(config, DecoderPart):
            whole = self._of(config.whole, case)
            past = config.whole.default_sequence_length if case is None or case.past is None else case.past
            return config.inputs_of(whole, self._encoder_states(config.encoder, whole), past)
        inputs = self._of(config, case)
        if PAST in inputs and isinstance(config, OnnxSeq2SeqConfigWithPast) and config._encoder_length_(inputs) is None:
            states = self._encoder_states(EncoderPart(config), inputs)
            inputs[PAST] = random_cache(config, len(states), inputs[PAST][0][0].shape[2], states.shape[1])
        return inputs

    def _of(self, config: OnnxConfig, case: Case | None) -> dict[str, Any]:
        return case_inputs(config, self.preprocessor, case, self.backend.framework)

    def _encoder_states(self, encoder: EncoderPart, inputs: Mapping[str, Any]) -> np.ndarray:
        return self.about(encoder).run(encoder.inputs_of(inputs))["last_hidden_state"]

    def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return all outputs of the model by name, nested ones flattened as the declaration says."""
        return self.backend.run(self.model, self.config, inputs)
