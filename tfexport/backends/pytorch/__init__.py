"""The PyTorch backend: models of transformers and Keras 3, converted by torch.onnx without their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from tfexport.backends.base import Layers, LoadedModel, flatten_outputs, mapped, model_errors, prepared
from tfexport.backends.counters import as_in_new_process
from tfexport.backends.loading import loader
from tfexport.backends.pytorch import dynamo, torchscript
from tfexport.backends.pytorch.calling import caller_of
from tfexport.backends.pytorch.keras_models import load_keras
from tfexport.backends.pytorch.tracing import as_input, for_inference, trace_arguments
from tfexport.backends.weightless import WeightlessGraph
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import Framework, FrameworkChoice
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.processes.locks import exclusive

_ROUTES: dict[str, Callable[..., WeightlessGraph]] = {
    # Best first: TorchScript converts more of the declared models, several times faster, and to more opsets.
    "torchscript": torchscript.convert,
    "dynamo": dynamo.convert,
}


class PyTorchBackend:
    """See `tfexport.backends.base.Backend`."""

    framework: Framework = "pt"

    @exclusive
    @as_in_new_process()
    def load(self, checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice) -> LoadedModel:
        loaded: LoadedModel = loader(checkpoint, "pt")(checkpoint, model_class, choice)
        return loaded

    @exclusive
    @as_in_new_process()
    def load_signature_model(self, checkpoint: Checkpoint) -> LoadedModel:
        return load_keras(checkpoint)

    @exclusive
    def call(self, model: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with model_errors(model), torch.no_grad():
            outputs = model(**{name: torch.tensor(array) for name, array in inputs.items()})
            return {name: value.numpy(force=True) for name, value in outputs.items()}

    def routes(self, config: OnnxConfig) -> tuple[str, ...]:
        return tuple(_ROUTES)

    @exclusive
    @as_in_new_process()
    def convert(
        self, model: Any, config: OnnxConfig, inputs: Mapping[str, np.ndarray], opset: int, route: str
    ) -> WeightlessGraph:
        arguments = trace_arguments(model, config, inputs)
        with prepared(model, config), for_inference(model):
            return _ROUTES[route](arguments, opset)

    @exclusive
    def run(self, model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        caller = caller_of(model)
        caller.check(config)
        tensors = {name: mapped(value, partial(as_input, model=model)) for name, value in inputs.items()}
        with prepared(model, config), for_inference(model):
            outputs = caller.call(config, tensors, partial(model_errors, model))
        return {name: value.numpy(force=True) for name, value in flatten_outputs(config, outputs).items()}

    @exclusive
    def layers(self, model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> Layers:
        found = Layers()
        with caller_of(model).recorded(found):
            self.run(model, config, inputs)
        return found

    def tensor(self, array: np.ndarray) -> Any:
        return torch.from_numpy(array)


BACKEND = PyTorchBackend()
