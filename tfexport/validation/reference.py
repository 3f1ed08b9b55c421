"""What one file computes: a declaration, and the loaded model that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfexport.backends import Backend
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.parts import DecoderPart, EncoderPart
from tfexport.declarations.with_past import OnnxSeq2SeqConfigWithPast, random_cache
from tfexport.dummy_inputs import PAST
from tfexport.validation.cases import Case, case_inputs


@dataclass(frozen=True)
class Reference:
    """A model, or a part of one, that can be asked for inputs and run on them.

    Attributes:
        backend: the framework's backend.
        model: the framework's model: the whole one, also where the declaration is about a part.
        config: the declaration.
        preprocessor: a tokenizer or another preprocessor, or None.
    """

    backend: Backend
    model: Any
    config: OnnxConfig
    preprocessor: Any = None

    def about(self, config: OnnxConfig) -> Reference:
        """The same model under another declaration."""
        return Reference(self.backend, self.model, config, self.preprocessor)

    def inputs(self, case: Case | None = None) -> dict[str, Any]:
        """The arrays of a case; those to trace with when `case` is None. A cache is nested sequences of arrays.

        What a decoder reads of an encoder is what the encoder really makes.

        Raises:
            InputsError: dummy inputs cannot be made.
            TracingError: the encoder fails on its inputs.
        """
        config = self.config
        if isinstance(config, EncoderPart):
            return config.inputs_of(self._made(config.whole, case))
        if isinstance(config, DecoderPart):
            whole = self._made(config.whole, case)
            past = config.whole.default_sequence_length if case is None or case.past is None else case.past
            return config.inputs_of(whole, self._encoder_states(config.encoder, whole), past)
        inputs = self._made(config, case)
        if PAST in inputs and isinstance(config, OnnxSeq2SeqConfigWithPast) and config._encoder_length_(inputs) is None:
            states = self._encoder_states(EncoderPart(config), inputs)
            inputs[PAST] = random_cache(config, len(states), inputs[PAST][0][0].shape[2], states.shape[1])
        return inputs

    def _made(self, config: OnnxConfig, case: Case | None) -> dict[str, Any]:
        return case_inputs(config, self.preprocessor, case, self.backend.framework)

    def _encoder_states(self, encoder: EncoderPart, inputs: Mapping[str, Any]) -> np.ndarray:
        return self.about(encoder).run(encoder.inputs_of(inputs))["last_hidden_state"]

    def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """All outputs of the model itself by name, nested ones flattened as the declaration says."""
        return self.backend.run(self.model, self.config, inputs)
