"""PyTorch: eager, and compiled by ``torch.compile``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from tfexport.benchmark.engines.checkpoints import CheckpointEngine, WritesText
from tfexport.benchmark.run_spec import Arrays, RunSpec
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

    def load(self, spec: RunSpec) -> None:
        import torch

        # Imported here, because it imports PyTorch, whose import is timed.
        from tfexport.backends.pytorch.loading import load_model

        setting = spec.cell.setting
        torch.set_num_threads(setting.threads)
        torch.set_num_interop_threads(setting.threads)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = setting.precision == "tf32"
        if spec.cell.provider == "cuda" and not torch.cuda.is_available():
            raise ProviderError(
                "cuda was asked for, but PyTorch finds no GPU, and nothing runs on the CPU in its place. Use --providers cpu."
            )
        self._spec, self._torch, self._device = spec, torch, torch.device(spec.cell.provider)
        self._load_checkpoint("pt", partial(load_model, attention=None))  # as users load it
        self._dtype = getattr(torch, _HALVES.get(setting.precision, "float32"))
        self._model.eval().to(self._device, self._dtype)
        self._call = self._function()

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
            "model_class": type(self._model).__name__,
            "device": str(self._device),
            "dtype": str(self._model.dtype),
            "attention": getattr(self._model.config, "_attn_implementation", None),
            "threads": self._torch.get_num_threads(),
            "interop_threads": self._torch.get_num_interop_threads(),
        }


class PyTorchEager(_PyTorch):
    """The model, executed op by op."""

    name = "torch-eager"
    description = "PyTorch, eager, inference mode"

    def _function(self) -> Callable[[Mapping[str, Any]], Any]:
        # Imported here, because they import onnx and PyTorch.
        from tfexport.backends.base import declared_outputs
        from tfexport.backends.pytorch.calling import caller_of

        config, caller, name = self._config, caller_of(self._model), type(self._model).__name__
        return lambda tensors: declared_outputs(config, caller.call(config, tensors), name)

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        return {
            name: (value.float() if value.is_floating_point() else value).cpu().numpy()
            for name, value in outputs.items()
        }


class PyTorchCompile(PyTorchEager):
    """The model, compiled for the shape of the inputs."""

    name = "torch-compile"
    description = "PyTorch, model.compile(dynamic=False), inductor"

    def _function(self) -> Callable[[Mapping[str, Any]], Any]:
        self._model.compile(dynamic=False)
        return super()._function()


class PyTorchEagerText(WritesText, _PyTorch):
    """``generate``, executed op by op."""

    name = "torch-eager"
    description = "PyTorch generate, eager, with a dynamic cache"

    def _function(self) -> Callable[[Mapping[str, Any]], Any]:
        model, settings, write = self._model, self._settings(), generate("pt")
        return lambda tensors: write(model, **tensors, generation_config=settings)

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        text, length = outputs
        return {"tokens": text.cpu().numpy()[:, length:]}
