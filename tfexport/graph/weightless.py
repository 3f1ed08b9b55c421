"""A graph and, apart from it, its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx
import onnx_ir as ir

WeightSource = Mapping[str, ir.TensorProtocol]
"""Where weights come from: name -> tensor. A tensor knows its shape and dtype without touching its values, and gives
these as a view when it is written (`ir.LazyTensor`). Live variables and parameters today; a checkpoint's own files fit
behind the same interface."""


@dataclass(frozen=True)
class WeightlessGraph:
    """What a backend makes: a small graph whose weights are still graph inputs.

    Attributes:
        proto: the graph. Its inputs are the model's inputs and one input a weight.
        weights: the weights, by the name of the graph input that each will replace.
        route: how it was converted, for the manifest.
    """

    proto: onnx.ModelProto
    weights: WeightSource
    route: str
