"""TensorFlow: eager, as a ``tf.function``, and compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfexport.benchmark.engines.checkpoints import CheckpointEngine, LoadedCheckpoint, WritesText
from tfexport.benchmark.work import Arrays, Work
from tfexport.checkpoints.transformers_api import generate
from tfexport.errors import ProviderError

_EXTRA = "tfexport[tensorflow]"


class _TensorFlow(CheckpointEngine):
    framework = "tf"
    packages = ("tensorflow",)
    modules = ("tensorflow", "tf_keras", "transformers.modeling_tf_utils")
    precisions = ("fp32", "tf32")
    extra = _EXTRA

    def load(self, work: Work) -> None:
        import tensorflow as tf

        from tfexport.backends.tensorflow.loading import load_model

        setting = work.cell.setting
        tf.config.threading.set_intra_op_parallelism_threads(setting.threads)
        tf.config.threading.set_inter_op_parallelism_threads(setting.threads)
        tf.config.experimental.enable_tensor_float_32_execution(setting.precision == "tf32")
        self._device = self._choose(tf, work.cell.provider)
        self._work, self._tf = work, tf
        with tf.device(self._device):
            self._loaded = LoadedCheckpoint(work, "tf", load_model)
            self._call = self._made(self._loaded)

    def _choose(self, tf: Any, provider: str) -> str:
        if provider == "cpu":
            tf.config.set_visible_devices([], "GPU")
            return "/CPU:0"
        if not tf.config.list_physical_devices("GPU"):
            raise ProviderError(
                f"{provider} was asked for, and TensorFlow finds no GPU. Nothing is run on the CPU in its place."
            )
        return "/GPU:0"

    def run(self, fed: Any) -> Any:
        with self._tf.device(self._device):
            return self._call(fed)

    def synchronise(self, outputs: Any) -> None:
        if self._work.cell.provider != "cpu":
            self._tf.test.experimental.sync_devices()

    def describe(self) -> Mapping[str, Any]:
        threading = self._tf.config.threading
        return {
            "model_class": type(self._loaded.model).__name__,
            "device": self._device,
            "intra_op_threads": threading.get_intra_op_parallelism_threads(),
            "inter_op_threads": threading.get_inter_op_parallelism_threads(),
        }


class TensorFlowEager(_TensorFlow):
    """The model called, op by op."""

    name = "tf-eager"
    description = "TensorFlow, eager: the model called with tensors"

    def _made(self, loaded: LoadedCheckpoint) -> Callable[[Mapping[str, Any]], Any]:
        from tfexport.backends.base import declared_outputs
        from tfexport.backends.tensorflow.calling import call_model

        name = type(loaded.model).__name__
        return lambda tensors: declared_outputs(loaded.config, call_model(loaded.model, loaded.config, tensors), name)

    def feed(self, inputs: Arrays) -> Any:
        with self._tf.device(self._device):
            return {name: self._tf.constant(array) for name, array in inputs.items()}

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        return {name: value.numpy() for name, value in outputs.items()}


class TensorFlowFunction(TensorFlowEager):
    """The same as one graph, traced for the shape of the inputs."""

    name = "tf-function"
    description = "TensorFlow, tf.function, traced for the shape"
    _compiles = False

    def _made(self, loaded: LoadedCheckpoint) -> Callable[[Mapping[str, Any]], Any]:
        return self._tf.function(super()._made(loaded), jit_compile=self._compiles or None)  # type: ignore[no-any-return]


class TensorFlowXla(TensorFlowFunction):
    """The same compiled by XLA."""

    name = "tf-xla"
    description = "TensorFlow, tf.function(jit_compile=True), compiled for the shape"
    _compiles = True


class TensorFlowEagerText(WritesText, _TensorFlow):
    """``generate`` as it is called without further ado."""

    name = "tf-eager"
    description = "TensorFlow generate, eager"

    def _made(self, loaded: LoadedCheckpoint) -> Callable[[Mapping[str, Any]], Any]:
        settings, write = self._settings(), generate("tf")
        # The mixin's own: a model's override (Whisper's) adds tokens that were not asked for.
        return lambda tensors: write(loaded.model, **tensors, generation_config=settings)

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
    """``tf.function(generate, jit_compile=True)``: one program a shape."""

    name = "tf-xla"
    description = "TensorFlow generate, compiled by XLA for the shape"

    @classmethod
    def check(cls, work: Work) -> str | None:
        if work.cell.setting.tokens > 1:
            return None
        return "transformers 4.57.6's generate, compiled, fails where it is to write one token"

    def _made(self, loaded: LoadedCheckpoint) -> Callable[[Mapping[str, Any]], Any]:
        return self._tf.function(super()._made(loaded), jit_compile=True)  # type: ignore[no-any-return]
