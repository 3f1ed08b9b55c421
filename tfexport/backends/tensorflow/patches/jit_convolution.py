"""Grouped and depthwise convolutions as plain ops.

tf_keras 2.21 runs a convolution of several groups through a function compiled by XLA, because TensorFlow once could
not compute it on a CPU. In a traced graph that function stays a ``PartitionedCall``, which is never inlined and which
tf2onnx does not know. ONNX has grouped convolutions, so the op itself is what to trace.
"""

from __future__ import annotations

from typing import Any

from tf_keras.src.layers.convolutional.base_conv import Conv

from tfexport.patching import PatchingSpec


def specs() -> list[PatchingSpec]:
    """The patch."""
    return [PatchingSpec(Conv, "_jit_compiled_convolution_op", _convolution)]


def _convolution(self: Any, inputs: Any, kernel: Any) -> Any:
    """``Conv._jit_compiled_convolution_op`` without the compilation; shapes as ``tf.nn.convolution`` has them."""
    return self.convolution_op(inputs, kernel)
