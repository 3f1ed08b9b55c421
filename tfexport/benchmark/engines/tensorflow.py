"""TensorFlow: eager, as a ``tf.function``, and compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfexport.benchmark.engines.checkpoints import CheckpointEngine, WritesText
from tfexport.benchmark.run_spec import Arrays, RunSpec
from tfexport.checkpoints.transformers_api import generate
from tfexport.errors import ProviderError

_EXTRA = "tfexport[tensorflow]"


class _TensorFlow(CheckpointEngine):
    framework = "tf"
    packages = ("tensorflow",)
    modules = ("tensorflow", "tf_keras", "transformers.modeling_tf_utils")
    precisions = ("fp32", "tf32")
    extra = _EXTRA

    def load(self, spec: RunSpec) -> None:
        import tensorflow as tf

        # Imported here, because it imports TensorFlow, whose import is timed.
        from tfexport.backends.tensorflow.loading import load_model

        setting = spec.cell.setting
        tf.config.threading.set_intra_op_parallelism_threads(setting.threads)
        tf.config.threading.set_inter_op_parallelism_threads(setting.threads)
        tf.config.experimental.enable_tensor_float_32_execution(setting.precision == "tf32")
        self._device = self._choose(tf, spec.cell.provider)
        self._spec, self._tf = spec, tf
        with tf.device(self._device):
            self._load_checkpoint("tf", load_model)
            self._call = self._function()

    def _choose(self, tf: Any, provider: str) -> str:
        if provider == "cpu":
            tf.config.set_visible_devices([], "GPU")
            return "/CPU:0"
        if not tf.config.list_physical_devices("GPU"):
            raise ProviderError(
                f"{provider} was asked for, but TensorFlow finds no GPU, and nothing runs on the CPU in its place. "
                "Use --providers cpu."
            )
        return "/GPU:0"

    def run(self, fed: Any) -> Any:
        with self._tf.device(self._device):
            return self._call(fed)

    def synchronise(self, outputs: Any) -> None:
        if self._spec.cell.provider != "cpu":
            self._tf.test.experimental.sync_devices()

    def describe(self) -> Mapping[str, Any]:
        threading = self._tf.config.threading
        return {
            "model_class": type(self._model).__name__,
            "device": self._device,
            "intra_op_threads": threading.get_intra_op_parallelism_threads(),
            "inter_op_threads": threading.get_inter_op_parallelism_threads(),
        }


class TensorFlowEager(_TensorFlow):
    """The model, executed op by op."""

    name = "tf-eager"
    description = "TensorFlow, eager: the model called with tensors"

    def _function(self) -> Callable[[Mapping[str, Any]], Any]:
        # Imported here, because they import onnx and TensorFlow.
        from tfexport.backends.base import declared_outputs
        from tfexport.backends.tensorflow.calling import caller_of

        config, caller, name = self._config, caller_of(self._model), type(self._model).__name__
        return lambda tensors: declared_outputs(config, caller.call(config, tensors), name)

    def feed(self, inputs: Arrays) -> Any:
        with self._tf.device(self._device):
            return {name: self._tf.constant(array) for name, array in inputs.items()}

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        return {name: value.numpy() for name, value in outputs.items()}


class TensorFlowFunction(TensorFlowEager):
    """The model as one graph, traced for the shape of the inputs."""

    name = "tf-function"
    description = "TensorFlow, tf.function, traced for the shape"
    _uses_xla = False

    def _function(self) -> Callable[[Mapping[str, Any]], Any]:
        return self._tf.function(super()._function(), jit_compile=self._uses_xla or None)  # type: ignore[no-any-return]


class TensorFlowXla(TensorFlowFunction):
    """The model, compiled by XLA for the shape of the inputs."""

    name = "tf-xla"
    description = "TensorFlow, tf.function(jit_compile=True), compiled for the shape"
    _uses_xla = True


class TensorFlowEagerText(WritesText, _TensorFlow):
    """``generate``, executed op by op."""

    name = "tf-eager"
    description = "TensorFlow generate, eager"

    def _function(self) -> Callable[[Mapping[str, Any]], Any]:
        model, settings, write = self._model, self._settings(), generate("tf")
        # The method of the mixin, because Whisper's own adds tokens that were not asked for.
        return lambda tensors: write(model, **tensors, generation_config=settings)

    def feed(self, inputs: Arrays) -> Any:
        tf = self._tf
        with tf.device(self._device):
            return {
                name: tf.constant(array, tf.int32 if array.dtype == np.int64 else None)
                for name, array in inputs.items()
            }

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        text, length = outputs
        return {"tokens": text.numpy().astype(np.int64)[:, length:]}


class TensorFlowXlaText(TensorFlowEagerText):
    """``tf.function(generate, jit_compile=True)``: one program per shape."""

    name = "tf-xla"
    description = "TensorFlow generate, compiled by XLA for the shape"

    @classmethod
    def check(cls, spec: RunSpec) -> str | None:
        if spec.cell.setting.tokens > 1:
            return None
        return "generate of transformers 4.57.6, compiled by XLA, cannot write only one token"

    def _function(self) -> Callable[[Mapping[str, Any]], Any]:
        return self._tf.function(super()._function(), jit_compile=True)  # type: ignore[no-any-return]
