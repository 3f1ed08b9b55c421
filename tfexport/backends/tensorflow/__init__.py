"""The TensorFlow backend: models of transformers, Keras and SavedModels, converted by tf2onnx without their weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from tfexport.backends.base import Layers, LoadedModel, flatten_outputs, mapped, model_errors, prepared
from tfexport.backends.counters import as_in_new_process
from tfexport.backends.loading import loader
from tfexport.backends.tensorflow.calling import caller_of
from tfexport.backends.tensorflow.conversion import convert_function
from tfexport.backends.tensorflow.layers import recorded
from tfexport.backends.tensorflow.patches import ctrl_cache, patched_tensorflow
from tfexport.backends.tensorflow.signature_models import load_signature_model
from tfexport.backends.tensorflow.soft_dependencies import stand_ins
from tfexport.backends.tensorflow.tracing import trace
from tfexport.backends.weightless import WeightlessGraph
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import Framework, FrameworkChoice
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs import PAST
from tfexport.processes.locks import exclusive
from tfexport.processes.patching import patched


class TensorFlowBackend:
    """See `tfexport.backends.base.Backend`."""

    framework: Framework = "tf"

    @exclusive
    @as_in_new_process()
    def load(self, checkpoint: Checkpoint, model_class: str, choice: FrameworkChoice) -> LoadedModel:
        loaded: LoadedModel = loader(checkpoint, "tf")(checkpoint, model_class, choice)
        return loaded

    @exclusive
    @as_in_new_process()
    def load_signature_model(self, checkpoint: Checkpoint) -> LoadedModel:
        return load_signature_model(checkpoint)

    @exclusive
    def call(self, model: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with model_errors(model):
            outputs = model({name: tf.constant(array) for name, array in inputs.items()})
            return {name: np.asarray(value) for name, value in outputs.items()}

    def routes(self, config: OnnxConfig) -> tuple[str, ...]:
        return ("tf2onnx",)

    @exclusive
    @as_in_new_process()
    def convert(
        self, model: Any, config: OnnxConfig, inputs: Mapping[str, np.ndarray], opset: int, route: str
    ) -> WeightlessGraph:
        patches = patched_tensorflow(of_transformers=caller_of(model).is_of_transformers)
        with prepared(model, config), stand_ins(), patches:
            traced = trace(model, config, inputs)
        return convert_function(traced, opset, route)

    @exclusive
    def run(self, model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        caller = caller_of(model)
        caller.check(config)
        # Unpatched, CTRL reads only one token together with a cache.
        patch = patched(ctrl_cache.specs() if PAST in inputs else ())
        tensors = {name: mapped(value, tf.constant) for name, value in inputs.items()}
        with prepared(model, config), stand_ins(), patch:
            outputs = caller.call(config, tensors, partial(model_errors, model))
        return {name: np.asarray(value) for name, value in flatten_outputs(config, outputs).items()}

    @exclusive
    def layers(self, model: Any, config: OnnxConfig, inputs: Mapping[str, Any]) -> Layers:
        found = Layers()
        with recorded(found):
            self.run(model, config, inputs)
        return found

    def tensor(self, array: np.ndarray) -> Any:
        return tf.constant(array)


BACKEND = TensorFlowBackend()
