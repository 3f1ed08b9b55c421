"""PyTorch: eager, and compiled by ``torch.compile``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from tfexport.benchmark.engines.checkpoints import CheckpointEngine, LoadedCheckpoint, WritesText
from tfexport.benchmark.work import Arrays, Work
from tfexport.checkpoints.transformers_api import generate
from tfexport.errors import ProviderError

_EXTRA = "tfexport[torch]"
_HALVES = {"fp16": "float16", "bf16": "bfloat16"}


class _PyTorch(CheckpointEngine):
    framework = "pt"
    packages = ("torch",)
    modules = ("torch", "transformers.modeling_utils")
    precisions = ("fp32", "tf32", "bf16", "fp16")
    extra = _EXTRA

    def load(self, work: Work) -> None:
        import torch

        from tfexport.backends.pytorch.loading import load_model

        setting = work.cell.setting
        torch.set_num_threads(setting.threads)
        torch.set_num_interop_threads(setting.threads)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = setting.precision == "tf32"
        if work.cell.provider == "cuda" and not torch.cuda.is_available():
            raise ProviderError("cuda was asked for, and PyTorch finds no GPU. Nothing is run on the CPU in its place.")
        self._work, self._torch, self._device = work, torch, torch.device(work.cell.provider)
        self._loaded = LoadedCheckpoint(work, "pt", partial(load_model, attention=None))  # as users load it
        self._dtype = getattr(torch, _HALVES.get(setting.precision, "float32"))
        self._loaded.model.eval().to(self._device, self._dtype)
        self._call = self._made(self._loaded)

    def feed(self, inputs: Arrays) -> Any:
        return {name: self._moved(self._torch.from_numpy(array)) for name, array in inputs.items()}

    def _moved(self, tensor: Any) -> Any:
        return tensor.to(self._device, self._dtype if tensor.is_floating_point() else None)

    def run(self, fed: Any) -> Any:
        with self._torch.inference_mode():
            return self._call(fed)

    def synchronise(self, outputs: Any) -> None:
        if self._device.type == "cuda":
            self._torch.cuda.synchronize()

    def describe(self) -> Mapping[str, Any]:
        return {
            "model_class": type(self._loaded.model).__name__,
            "device": str(self._device),
            "dtype": str(self._loaded.model.dtype),
            "attention": getattr(self._loaded.model.config, "_attn_implementation", None),
            "threads": self._torch.get_num_threads(),
            "interop_threads": self._torch.get_num_interop_threads(),
        }


class PyTorchEager(_PyTorch):
    """The model called, op by op."""

    name = "torch-eager"
    description = "PyTorch, eager, inference mode"

    def _made(self, loaded: LoadedCheckpoint) -> Callable[[Mapping[str, Any]], Any]:
        from tfexport.backends.base import declared_outputs
        from tfexport.backends.pytorch.tracing import call_model

        name = type(loaded.model).__name__
        return lambda tensors: declared_outputs(loaded.config, call_model(loaded.model, loaded.config, tensors), name)

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        return {
            name: (value.float() if value.is_floating_point() else value).cpu().numpy()
            for name, value in outputs.items()
        }


class PyTorchCompile(PyTorchEager):
    """The same compiled for the shape of the inputs."""

    name = "torch-compile"
    description = "PyTorch, model.compile(dynamic=False), inductor"

    def _made(self, loaded: LoadedCheckpoint) -> Callable[[Mapping[str, Any]], Any]:
        loaded.model.compile(dynamic=False)
        return super()._made(loaded)


class PyTorchEagerText(WritesText, _PyTorch):
    """``generate``."""

    name = "torch-eager"
    description = "PyTorch generate, eager, with a dynamic cache"

    def _made(self, loaded: LoadedCheckpoint) -> Callable[[Mapping[str, Any]], Any]:
        settings, write = self._settings(), generate("pt")
        return lambda tensors: write(loaded.model, **tensors, generation_config=settings)

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        text, length = outputs
        return {"tokens": text.cpu().numpy()[:, length:]}
