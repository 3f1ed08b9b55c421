"""``x // y`` of tensors, rounded down.

torch 2.13's TorchScript exporter truncates, as ``torch.floor_divide`` did before torch 1.13: ``-3 // 2`` becomes -1.
Rounding up with ``-(-x // y)``, the usual idiom in Python, is then silently wrong. Lengths of axes are such tensors.
"""

from __future__ import annotations

from typing import Any

from torch.onnx import symbolic_helper, symbolic_opset9
from torch.onnx._internal.torchscript_exporter import registration

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("torch", ">=2.13,<2.14")

_OPS = ("aten::floor_divide", "aten::floordiv")


def specs() -> list[PatchingSpec]:
    """Return the patches, for every model."""
    groups = [registration.registry.get_function_group(name) for name in _OPS]
    return [PatchingSpec(group, "get", _get) for group in groups if group is not None]


def _get(opset: int) -> Any:
    """Return the symbolic function of an opset, in place of a group's own method."""
    return _floor_divide


def _floor_divide(g: Any, dividend: Any, divisor: Any) -> Any:
    """Emit Div(Sub(x, Mod(x, y)), y) for integers, which leaves no remainder to truncate; Floor(Div(x, y)) for floats."""
    if symbolic_helper._is_fp(dividend) or symbolic_helper._is_fp(divisor):
        return g.op("Floor", symbolic_opset9.true_divide(g, dividend, divisor))
    return g.op("Div", g.op("Sub", dividend, g.op("Mod", dividend, divisor, fmod_i=0)), divisor)
