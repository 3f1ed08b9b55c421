"""An engine of one's own: the text loop with threads for each session, as ONNX Runtime has it by default.

tfexport benchmark t5=T5-EXPORT --engines ort,benchmarks.own_threads:OwnThreads --tokens 32
"""

from __future__ import annotations

from tfexport.benchmark.engines.onnx_runtime_text import OnnxRuntimeText


class OwnThreads(OnnxRuntimeText):
    """The same loop, each session with threads of its own."""

    name = "ort-own-threads"
    description = "ONNX Runtime, the same loop, each session with threads of its own"
    shares_threads = False
