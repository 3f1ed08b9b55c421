"""ONNX Runtime, on any execution provider of the installed build."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tfexport.benchmark.engines.base import Engine
from tfexport.benchmark.run_spec import Arrays, RunSpec
from tfexport.runtime.errors import import_runtime
from tfexport.runtime.names import CUDA
from tfexport.runtime.providers import full_name, session_on
from tfexport.runtime.sessions import session_options

PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
EXTRA = "tfexport[cpu] or tfexport[gpu]"
_SPINNING = "session.intra_op.allow_spinning"


class Session:
    """An ONNX Runtime session with explicit threads and level, on the execution provider that was asked for.

    Args:
        path: ONNX file.
        spec: How to run it.
        provider_options: Options of the provider.
        shares_threads: Whether it computes on the threads of the process (`share_threads`) instead of its own.

    Raises:
        ProviderError: The provider is not available, or does not run the file.
        PlacementError: Nodes that compute fell back to the CPU.
    """

    def __init__(
        self,
        path: Path,
        spec: RunSpec,
        provider_options: Mapping[str, str] | None = None,
        *,
        shares_threads: bool = False,
    ) -> None:
        setting = spec.cell.setting
        self.asked = full_name(spec.cell.provider)
        options = session_options(spec.level, threads=None if shares_threads else setting.threads)
        if shares_threads:
            options.use_per_session_threads = False
        options.add_session_config_entry(_SPINNING, "1")  # stated, although it is the default
        self.options, self._threads = options, setting.threads
        self.provider_options = {**self._tf32(setting.precision), **(provider_options or {})}
        self.session, self.assignment = session_on(path, self.asked, options, self.provider_options)
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def _tf32(self, precision: str) -> dict[str, str]:
        """Return whether to use TensorFloat-32: on CUDA it is on by default, so that the option is always stated."""
        return {"use_tf32": "1" if precision == "tf32" else "0"} if self.asked == CUDA else {}

    @property
    def device(self) -> str:
        """Device of the tensors, as IO binding names it."""
        return "cuda" if self.asked == CUDA else "cpu"

    def describe(self) -> dict[str, Any]:
        """Return the settings in force and the assignment of nodes."""
        return {
            "provider": self.asked,
            "provider_options": self.provider_options,
            "intra_op_num_threads": self._threads,
            "inter_op_num_threads": 1,
            "threads_of": "the session" if self.options.use_per_session_threads else "the process",
            "optimisation": str(self.options.graph_optimization_level).rsplit(".", 1)[-1],
            "spinning": self.options.get_session_config_entry(_SPINNING) == "1",
            "placement": self.assignment.as_dict(),
        }


def share_threads(threads: int) -> None:
    """Let sessions that are created with ``shares_threads`` compute on the same threads.

    Sessions that take turns and have threads of their own disturb each other: the threads of the last one keep spinning for
    a while. On two processors, 32 tokens of T5-small take 1.3 times as long.
    """
    import_runtime().set_global_thread_pool_sizes(threads, 1)


class OnnxRuntime(Engine):
    """One run of ``model.onnx`` per call: ``session.run``, or IO binding with outputs in place at the device boundary."""

    name = "ort"
    description = "ONNX Runtime, session.run (IO binding at the device boundary)"
    packages: ClassVar[tuple[str, ...]] = PACKAGES
    modules = ("onnxruntime",)
    providers: ClassVar[tuple[str, ...] | None] = None
    precisions = ("fp32", "tf32", "fp16")
    converts_files = True
    extra = EXTRA
    _provider_options: ClassVar[Mapping[str, str]] = {}

    def load(self, spec: RunSpec) -> None:
        (path,) = spec.model.files.values()
        self._spec = spec
        self._loaded = Session(path, spec, self._provider_options)

    def feed(self, inputs: Arrays) -> Any:
        required = {name: inputs[name] for name in self._loaded.inputs}
        return self._bind(self._placed(required)) if self._spec.resident else required

    def _placed(self, inputs: Arrays) -> dict[str, Any]:
        """Return the inputs as values of ONNX Runtime, on its device."""
        make = import_runtime().OrtValue.ortvalue_from_numpy
        return {name: make(array, self._loaded.device, 0) for name, array in inputs.items()}

    def _bind(self, inputs: Mapping[str, Any]) -> Any:
        device, session = self._loaded.device, self._loaded.session
        binding = session.io_binding()
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name in self._loaded.outputs:
            binding.bind_output(name, device)
        once = import_runtime().RunOptions()
        once.add_run_config_entry("gpu_graph_id", "-1")  # do not capture this run: the addresses of its outputs change
        # shows the shapes of the outputs, which are written in place from now on
        session.run_with_iobinding(binding, once)
        for name, value in zip(self._loaded.outputs, binding.get_outputs(), strict=True):
            binding.bind_ortvalue_output(name, value)
        return binding

    def run(self, fed: Any) -> Any:
        if not self._spec.resident:
            return self._loaded.session.run(None, fed)
        self._loaded.session.run_with_iobinding(fed)
        return fed

    def synchronise(self, outputs: Any) -> None:
        if self._spec.resident:
            outputs.synchronize_outputs()

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        values = outputs.copy_outputs_to_cpu() if self._spec.resident else outputs
        return dict(zip(self._loaded.outputs, values, strict=True))

    def describe(self) -> Mapping[str, Any]:
        return self._loaded.describe()


class OnnxRuntimeCudaGraph(OnnxRuntime):
    """The same, captured as a CUDA graph. Shapes and addresses are fixed, so that it exists only at the device boundary."""

    name = "ort-cuda-graph"
    description = "ONNX Runtime, IO binding, captured as a CUDA graph"
    providers = ("cuda",)
    boundaries = ("device",)
    _provider_options = {"enable_cuda_graph": "1"}

    @classmethod
    def check(cls, spec: RunSpec) -> str | None:
        streams = spec.cell.setting.streams
        if streams == 1:
            return None
        return f"ONNX Runtime replays a CUDA graph in only one thread at a time, and {streams} streams were asked for"

    def load(self, spec: RunSpec) -> None:
        super().load(spec)
        self._bound: tuple[Any, dict[str, Any]] | None = None

    def feed(self, inputs: Arrays) -> Any:
        """Return the only binding, whose addresses the graph holds. Another call overwrites its inputs."""
        if self._bound is None:
            values = self._placed({name: inputs[name] for name in self._loaded.inputs})
            self._bound = self._bind(values), values
        binding, values = self._bound
        for name, value in values.items():
            value.update_inplace(inputs[name])
        return binding
