"""An example of a user's own engine: the text loop with threads per session, which is ONNX Runtime's default.

tfexport benchmark t5=T5-EXPORT --engines ort,benchmarks.own_threads:OwnThreads --tokens 32
"""

from __future__ import annotations

from tfexport.benchmark.engines.onnx_runtime_text import OnnxRuntimeText


class OwnThreads(OnnxRuntimeText):
    """The text loop, in which each session has threads of its own."""

    name = "ort-own-threads"
    description = "ONNX Runtime, the same loop, each session with threads of its own"
    shares_threads = False
