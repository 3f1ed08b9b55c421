"""ONNX Runtime writing text: a bare greedy loop over the exported files, with their cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from tfexport.benchmark.engines.base import Engine
from tfexport.benchmark.engines.onnx_runtime import EXTRA, PACKAGES, Session, share_threads
from tfexport.benchmark.run_spec import Arrays, RunSpec
from tfexport.declarations.parts import DECODER_PART, ENCODER_PART, ENCODER_STATES, MERGED_PART, NEXT_STEP_PART
from tfexport.dummy_inputs import PAST, PRESENT
from tfexport.runtime.errors import import_runtime

LOGITS = "logits"
_BRANCH = "use_cache_branch"


class Steps:
    """Steps of a session with IO binding. The cache that a step returns is an input of the next, as the runtime's own value.

    Args:
        loaded: Session to run.
        state: Inputs of each step beside its tokens, by name.
    """

    def __init__(self, loaded: Session, state: Mapping[str, Any]) -> None:
        self._loaded = loaded
        self._make = import_runtime().OrtValue.ortvalue_from_numpy
        self.state = {
            name: self._make(value, loaded.device, 0) if isinstance(value, np.ndarray) else value
            for name, value in state.items()
        }

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the logits ``(batch, new tokens, vocabulary)`` of new tokens."""
        binding = self._loaded.session.io_binding()
        for name in self._loaded.inputs:
            if name in feeds:
                binding.bind_cpu_input(name, np.ascontiguousarray(feeds[name]))
            else:
                binding.bind_ortvalue_input(name, self.state[name])
        for name in self._loaded.outputs:
            binding.bind_output(name, "cpu" if name == LOGITS else self._loaded.device)
        self._loaded.session.run_with_iobinding(binding)
        outputs = dict(zip(self._loaded.outputs, binding.get_outputs(), strict=True))
        logits = outputs.pop(LOGITS)
        self.state |= {name.replace(PRESENT, PAST, 1): value for name, value in outputs.items()}
        return np.asarray(logits.numpy())


class OnnxRuntimeText(Engine):
    """A decoder-only model, or an encoder and its two decoders."""

    name = "ort"
    description = (
        "ONNX Runtime, a bare loop with IO binding; the cache stays in the runtime's values, sessions share threads"
    )
    writes = True
    packages = PACKAGES
    modules = ("onnxruntime",)
    providers = None
    precisions = ("fp32", "tf32", "fp16")
    converts_files = True
    boundaries = ("host",)
    extra = EXTRA
    shares_threads: ClassVar[bool] = True
    """Whether several sessions compute on the same threads."""

    def load(self, spec: RunSpec) -> None:
        self._start, self._tokens = spec.model.start, spec.cell.setting.tokens
        parts = self._parts(spec.model.files)
        share = self.shares_threads and len(parts) > 1
        if share:
            share_threads(spec.cell.setting.threads)
        self._sessions = {name: Session(spec.model.files[name], spec, shares_threads=share) for name in parts}

    def _parts(self, files: Mapping[str, Any]) -> tuple[str, ...]:
        return (ENCODER_PART, DECODER_PART, NEXT_STEP_PART) if ENCODER_PART in files else ("model",)

    def feed(self, inputs: Arrays) -> Any:
        return inputs

    def run(self, fed: Any) -> Any:
        return self._decode(fed) if ENCODER_PART in self._sessions else self._continue(fed)

    def _continue(self, inputs: Arrays) -> np.ndarray:
        """Read the prompt, and return the tokens ``(batch, tokens)`` that a decoder-only model continues it with."""
        loaded = self._sessions["model"]
        batch, length = inputs["input_ids"].shape
        mask = np.ones((batch, length + self._tokens), np.int64)
        positions = np.broadcast_to(np.arange(length + self._tokens), mask.shape)
        written = np.empty((batch, self._tokens), np.int64)
        step = Steps(loaded, _empty_cache(loaded, batch))
        new, read = inputs["input_ids"], 0
        for index in range(self._tokens):
            end = read + new.shape[1]
            feeds = {"input_ids": new, "attention_mask": mask[:, :end], "position_ids": positions[:, read:end]}
            written[:, index] = step(feeds)[:, -1].argmax(-1)
            new, read = written[:, index : index + 1], end
        return written

    def _decode(self, inputs: Arrays) -> np.ndarray:
        """Encode the inputs, and return the tokens ``(batch, tokens)`` that the decoder writes after its first token."""
        state: dict[str, Any] = {ENCODER_STATES: _encode(self._sessions[ENCODER_PART], inputs)}
        batch = len(next(iter(inputs.values())))
        if "attention_mask" in inputs:
            state["encoder_attention_mask"] = inputs["attention_mask"]
        first, later = self._decoders()
        written = np.empty((batch, self._tokens), np.int64)
        step = Steps(first, {**self._first_state(batch), **state})
        new = np.full((batch, 1), self._start, np.int64)
        for index in range(self._tokens):
            written[:, index] = step({"input_ids": new})[:, -1].argmax(-1)
            if index == 0:
                step = Steps(later, {**step.state, **self._later_state()})
            new = written[:, index : index + 1]
        return written

    def _decoders(self) -> tuple[Session, Session]:
        return self._sessions[DECODER_PART], self._sessions[NEXT_STEP_PART]

    def _first_state(self, batch: int) -> Mapping[str, np.ndarray]:
        return {}

    def _later_state(self) -> Mapping[str, np.ndarray]:
        return {}

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        return {"tokens": outputs}

    def describe(self) -> Mapping[str, Any]:
        return {name: loaded.describe() for name, loaded in self._sessions.items()}


class OnnxRuntimeMergedText(OnnxRuntimeText):
    """An encoder and the merged decoder."""

    name = "ort-merged"
    description = "ONNX Runtime, the same loop over decoder_model_merged.onnx"

    @classmethod
    def check(cls, spec: RunSpec) -> str | None:
        return None if MERGED_PART in spec.model.files else f"the export has no {MERGED_PART}.onnx"

    def _parts(self, files: Mapping[str, Any]) -> tuple[str, ...]:
        return (ENCODER_PART, MERGED_PART)

    def _decoders(self) -> tuple[Session, Session]:
        return self._sessions[MERGED_PART], self._sessions[MERGED_PART]

    def _first_state(self, batch: int) -> Mapping[str, np.ndarray]:
        return {**_empty_cache(self._sessions[MERGED_PART], batch), _BRANCH: np.array([False])}

    def _later_state(self) -> Mapping[str, np.ndarray]:
        return {_BRANCH: np.array([True])}


def _empty_cache(loaded: Session, batch: int) -> Mapping[str, np.ndarray]:
    # Imported here, because it imports onnx: importing an engine's module must not import what an engine imports.
    from tfexport.validation.decoding import empty_cache

    return empty_cache(loaded.session, batch)


def _encode(loaded: Session, inputs: Arrays) -> Any:
    """Return the outputs of the encoder as a value of ONNX Runtime, on its device."""
    binding = loaded.session.io_binding()
    for name in loaded.inputs:
        binding.bind_cpu_input(name, inputs[name])
    binding.bind_output(loaded.outputs[0], loaded.device)
    loaded.session.run_with_iobinding(binding)
    return binding.get_outputs()[0]
