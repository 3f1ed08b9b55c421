"""optimum's classes, which load the exported files and write text with PyTorch's ``generate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfexport.benchmark.engines.base import Engine
from tfexport.benchmark.engines.checkpoints import generation, tokens_before
from tfexport.benchmark.run_spec import Arrays, RunSpec
from tfexport.checkpoints.transformers_api import generate
from tfexport.declarations.tasks import WITH_PAST
from tfexport.runtime.sessions import session_options

_CLASSES = {
    "causal-lm": "ORTModelForCausalLM",
    "seq2seq-lm": "ORTModelForSeq2SeqLM",
    "speech2seq-lm": "ORTModelForSpeechSeq2Seq",
    "vision2seq-lm": "ORTModelForVision2Seq",
}


class OptimumText(Engine):
    """optimum's ``ORTModel`` of the exported directory."""

    name = "optimum"
    description = "the same files in optimum's ORTModel, generate"
    writes = True
    packages = ("optimum-onnx",)
    modules = ("torch", "optimum.onnxruntime")
    boundaries = ("host",)
    extra = "tfexport[clients]"

    @classmethod
    def check(cls, spec: RunSpec) -> str | None:
        return (
            None if _class_of(spec) else f"optimum has no class that writes text for the feature {spec.model.feature}"
        )

    def load(self, spec: RunSpec) -> None:
        import torch
        from optimum import onnxruntime as optimum

        threads = spec.cell.setting.threads
        torch.set_num_threads(threads)
        folder = next(iter(spec.model.files.values())).parent
        self._spec, self._torch = spec, torch
        self._generate = generate("pt")  # Whisper's own drops the first token
        self._settings = generation(spec.cell.setting.tokens, spec.model.start)
        self._model = getattr(optimum, _class_of(spec)).from_pretrained(
            str(folder),
            session_options=session_options(threads=threads),
            provider="CPUExecutionProvider",
            use_cache=True,
        )

    def feed(self, inputs: Arrays) -> Any:
        return {name: self._torch.from_numpy(array) for name, array in inputs.items()}

    def run(self, fed: Any) -> Any:
        with self._torch.inference_mode():
            return self._generate(self._model, **fed, generation_config=self._settings), tokens_before(self._spec, fed)

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        text, length = outputs
        return {"tokens": text.numpy()[:, length:]}

    def describe(self) -> Mapping[str, Any]:
        return {
            "class": type(self._model).__name__,
            "use_io_binding": bool(getattr(self._model, "use_io_binding", False)),
            "merged": bool(getattr(self._model, "use_merged", False)),
        }


def _class_of(spec: RunSpec) -> str:
    return _CLASSES.get((spec.model.feature or "").removesuffix(WITH_PAST), "")
