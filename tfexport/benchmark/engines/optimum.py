"""The exported files through optimum's classes, which write text with PyTorch's ``generate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfexport.benchmark.engines.base import Engine
from tfexport.benchmark.engines.checkpoints import before, generation
from tfexport.benchmark.work import Arrays, Work
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
    def check(cls, work: Work) -> str | None:
        return None if _class_of(work) else f"optimum has no class that writes text for {work.model.feature}"

    def load(self, work: Work) -> None:
        import torch
        from optimum import onnxruntime as optimum

        threads = work.cell.setting.threads
        torch.set_num_threads(threads)
        folder = next(iter(work.model.files.values())).parent
        self._work, self._torch = work, torch
        self._generate = generate("pt")  # not Whisper's own, which cuts off the first token
        self._settings = generation(work.cell.setting.tokens, work.model.start)
        self._model = getattr(optimum, _class_of(work)).from_pretrained(
            str(folder),
            session_options=session_options(threads=threads),
            provider="CPUExecutionProvider",
            use_cache=True,
        )

    def feed(self, inputs: Arrays) -> Any:
        return {name: self._torch.from_numpy(array) for name, array in inputs.items()}

    def run(self, fed: Any) -> Any:
        with self._torch.inference_mode():
            return self._generate(self._model, **fed, generation_config=self._settings), before(self._work, fed)

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        text, length = outputs
        return {"tokens": text.numpy()[:, length:]}

    def describe(self) -> Mapping[str, Any]:
        return {
            "class": type(self._model).__name__,
            "use_io_binding": bool(getattr(self._model, "use_io_binding", False)),
            "merged": bool(getattr(self._model, "use_merged", False)),
        }


def _class_of(work: Work) -> str:
    return _CLASSES.get((work.model.feature or "").removesuffix(WITH_PAST), "")
