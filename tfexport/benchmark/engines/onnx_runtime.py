"""ONNX Runtime, on any execution provider that the installed one offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tfexport.benchmark.engines.base import Engine
from tfexport.benchmark.placement import CPU, Placement, placement_of, provider_name
from tfexport.benchmark.work import Arrays, Work
from tfexport.errors import ProviderError

PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
EXTRA = "tfexport[cpu] or tfexport[gpu]"
_CUDA = "CUDAExecutionProvider"
_SPINNING = "session.intra_op.allow_spinning"


class Session:
    """An ONNX Runtime session of known threads, level and provider, which is the one that was asked for.

    Args:
        path: the ONNX file.
        work: how it is to be run.
        provider_options: the provider's own.

    Raises:
        ProviderError: the provider cannot be had, or does not run the file.
        PlacementError: nodes that compute fell back to the CPU.
    """

    def __init__(self, path: Path, work: Work, provider_options: Mapping[str, str] | None = None) -> None:
        import onnxruntime

        setting = work.cell.setting
        self.asked = provider_name(work.cell.provider, onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = setting.threads
        options.inter_op_num_threads = 1
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if work.level == "all" else levels.ORT_DISABLE_ALL
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        options.add_session_config_entry(_SPINNING, "1")  # its default, stated
        self.options = options
        self.provider_options = {**self._stated(setting.precision), **(provider_options or {})}
        providers: list[Any] = [(self.asked, self.provider_options)]
        if self.asked != CPU:
            providers.append(CPU)  # for shapes, which ONNX Runtime keeps there on purpose; `placement` proves the rest
        self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self.session.disable_fallback()
        used = self.session.get_providers()[0]
        if used != self.asked:
            raise ProviderError(f"{self.asked} was asked for and could not be set up: the session runs on {used}.")
        self.placement: Placement = placement_of(self.asked, self.session.get_provider_graph_assignment_info())
        self.placement.check()
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def _stated(self, precision: str) -> dict[str, str]:
        """TensorFloat-32 is on by default on CUDA: what is asked for is stated."""
        return {"use_tf32": "1" if precision == "tf32" else "0"} if self.asked == _CUDA else {}

    @property
    def device(self) -> str:
        """Where tensors lie, as IO binding calls it."""
        return "cuda" if self.asked == _CUDA else "cpu"

    def describe(self) -> dict[str, Any]:
        """Settings in force, and the placement."""
        return {
            "provider": self.asked,
            "provider_options": self.provider_options,
            "intra_op_num_threads": self.options.intra_op_num_threads,
            "inter_op_num_threads": self.options.inter_op_num_threads,
            "optimisation": str(self.options.graph_optimization_level).rsplit(".", 1)[-1],
            "spinning": self.options.get_session_config_entry(_SPINNING) == "1",
            "placement": self.placement.as_dict(),
        }


class OnnxRuntime(Engine):
    """One run of ``model.onnx`` a call: ``session.run``, or IO binding with outputs in place at the device boundary."""

    name = "ort"
    description = "ONNX Runtime, session.run (IO binding at the device boundary)"
    packages = PACKAGES
    modules = ("onnxruntime",)
    providers: ClassVar[tuple[str, ...] | None] = None
    precisions = ("fp32", "tf32", "fp16")
    converts_files = True
    extra = EXTRA
    _provider_options: ClassVar[Mapping[str, str]] = {}

    def load(self, work: Work) -> None:
        (path,) = work.model.files.values()
        self._work = work
        self._loaded = Session(path, work, self._provider_options)

    def feed(self, inputs: Arrays) -> Any:
        taken = {name: inputs[name] for name in self._loaded.inputs}
        return self._bind(taken) if self._work.resident else taken

    def _bind(self, inputs: Arrays) -> Any:
        import onnxruntime

        device, session = self._loaded.device, self._loaded.session
        binding = session.io_binding()
        for name, array in inputs.items():
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array, device, 0))
        for name in self._loaded.outputs:
            binding.bind_output(name, device)
        session.run_with_iobinding(binding)  # tells the shapes of the outputs, which are written in place from now on
        for name, value in zip(self._loaded.outputs, binding.get_outputs(), strict=True):
            binding.bind_ortvalue_output(name, value)
        return binding

    def run(self, fed: Any) -> Any:
        if not self._work.resident:
            return self._loaded.session.run(None, fed)
        self._loaded.session.run_with_iobinding(fed)
        return fed

    def synchronise(self, outputs: Any) -> None:
        if self._work.resident:
            outputs.synchronize_outputs()

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        values = outputs.copy_outputs_to_cpu() if self._work.resident else outputs
        return dict(zip(self._loaded.outputs, values, strict=True))

    def describe(self) -> Mapping[str, Any]:
        return self._loaded.describe()


class OnnxRuntimeCudaGraph(OnnxRuntime):
    """The same captured as a CUDA graph: shapes and addresses are fixed, so only the device boundary has one."""

    name = "ort-cuda-graph"
    description = "ONNX Runtime, IO binding, captured as a CUDA graph"
    providers = ("cuda",)
    boundaries = ("device",)
    _provider_options = {"enable_cuda_graph": "1"}
