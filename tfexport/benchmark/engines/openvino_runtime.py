"""OpenVINO, which reads the exported ONNX files."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfexport.benchmark.engines.base import Engine
from tfexport.benchmark.run_spec import Arrays, RunSpec

_PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


class OpenVino(Engine):
    """One inference of ``model.onnx`` per call, tuned for latency. The precision is set, since its default depends on the CPU."""

    name = "openvino"
    description = "OpenVINO, one infer request (its tensors in place at the device boundary)"
    packages = ("openvino",)
    modules = ("openvino",)
    precisions = tuple(_PRECISIONS)
    extra = "tfexport[openvino]"

    def load(self, spec: RunSpec) -> None:
        import openvino

        setting = spec.cell.setting
        (path,) = spec.model.files.values()
        core = openvino.Core()
        self._spec, self._openvino, self._thread = spec, openvino, threading.local()
        self._outputs = tuple(spec.model.outputs)
        self._compiled = core.compile_model(
            core.read_model(path),
            "CPU",
            {
                "INFERENCE_NUM_THREADS": str(setting.threads),
                "INFERENCE_PRECISION_HINT": _PRECISIONS[setting.precision],
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": str(setting.streams),
            },
        )
        self._names = [port.any_name for port in self._compiled.inputs]

    def feed(self, inputs: Arrays) -> Any:
        if not self._spec.resident:
            return self._request(), {name: inputs[name] for name in self._names}
        request = self._compiled.create_infer_request()
        for name in self._names:
            request.set_tensor(name, self._openvino.Tensor(inputs[name], shared_memory=True))
        return request, None

    def _request(self) -> Any:
        """Return the request of this thread: a request cannot be shared while it runs."""
        if not hasattr(self._thread, "request"):
            self._thread.request = self._compiled.create_infer_request()
        return self._thread.request

    def run(self, fed: Any) -> Any:
        request, inputs = fed
        request.infer(inputs, share_inputs=True)
        return request

    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        return {name: outputs.get_tensor(name).data.copy() for name in self._outputs}

    def describe(self) -> Mapping[str, Any]:
        compiled = self._compiled
        return {
            "device": compiled.get_property("EXECUTION_DEVICES"),
            "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
            "precision": str(compiled.get_property("INFERENCE_PRECISION_HINT")),
            "streams": compiled.get_property("NUM_STREAMS"),
            "optimised_nodes": len(compiled.get_runtime_model().get_ops()),
        }
