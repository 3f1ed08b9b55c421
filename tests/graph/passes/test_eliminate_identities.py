"""Identities are taken out, and branches keep the nodes that make their outputs."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx_ir.passes.common import IdentityEliminationPass

from tfexport.graph.passes.eliminate_identities import EliminateIdentities

CHAIN = """
<ir_version: 8, opset_import: ["" : 18]>
chain (float[N] x) => (float[N] y, float[N] z) {
  a = Identity(x)
  b = Identity(a)
  c = Add(b, a)
  y = Identity(c)
  z = Identity(x)
}
"""

BRANCH = """
<ir_version: 8, opset_import: ["" : 18]>
branch (float[N] x, bool flag) => (float[N] y) {
  o = Abs(x)
  a = Identity(o)
  y = If (flag) <
    then_branch = then () => (float[N] t) { t = Identity(a) },
    else_branch = else () => (float[N] e) { n = Neg(a) m = Identity(n) e = Identity(m) }
  >
}
"""


def simplified(text: str, step: ir.passes.PassBase) -> onnx.ModelProto:
    model = ir.from_proto(onnx.parser.parse_model(text))
    step(model)
    return ir.to_proto(model)


def run(proto: onnx.ModelProto, **feeds: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def test_a_chain_is_taken_out_and_outputs_keep_their_names() -> None:
    proto = simplified(CHAIN, EliminateIdentities())
    assert [node.op_type for node in proto.graph.node] == ["Add", "Identity"]  # an input handed out stays an Identity
    assert [value.name for value in proto.graph.output] == ["y", "z"]
    x = np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(run(proto, x=x), [2 * x, x])


@pytest.mark.parametrize("flag", [True, False])
def test_branches_stay_valid(flag: bool) -> None:
    proto = simplified(BRANCH, EliminateIdentities())
    onnx.checker.check_model(proto, full_check=True)
    then, otherwise = (attribute.g for attribute in proto.graph.node[1].attribute)
    assert [node.op_type for node in then.node] == ["Identity"]
    assert [node.op_type for node in otherwise.node] == ["Neg"]
    x = np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(run(proto, x=-x, flag=np.array(flag))[0], x if flag else -x)


def test_onnx_ir_still_breaks_branches() -> None:
    """Fails when onnx_ir's own pass keeps rule 2: ours can go then (seen in 1.1.0)."""
    proto = simplified(BRANCH, IdentityEliminationPass())
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(proto, full_check=True)
