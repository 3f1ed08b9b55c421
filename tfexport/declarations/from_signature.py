"""The declaration of a model that declares itself: made of its signature and of what its runs have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfexport.checkpoints.signature import TensorSpec
from tfexport.declarations.framework_tensors import to_framework
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.dummy_inputs import Values
from tfexport.dummy_inputs.sizes import Axes
from tfexport.dummy_inputs.tensors import Tensor


class SignatureConfig(OnnxConfig):
    """Declaration of a model by its signature. `tfexport.declarations.probing.declare` makes it.

    Args:
        specs: The inputs, in order.
        inputs: Dynamic axes of each input.
        outputs: Dynamic axes of each output.
        tensors: Contents of each input.
        lengths: Sets of lengths of the dynamic axes that the model takes; it is traced with the first.
        caveats: Sentences on what the file does not promise.
    """

    def __init__(
        self,
        specs: Sequence[TensorSpec],
        inputs: Mapping[str, Axes],
        outputs: Mapping[str, Axes],
        tensors: Mapping[str, Tensor],
        lengths: Sequence[Mapping[str, int]],
        caveats: Sequence[str] = (),
    ) -> None:
        super().__init__(None)
        self._specs = tuple(specs)
        self._inputs, self._outputs = dict(inputs), dict(outputs)
        self._tensors = dict(tensors)
        self._lengths = tuple(lengths)
        self._caveats = tuple(caveats)

    @property
    def inputs(self) -> Mapping[str, Axes]:
        return {name: dict(axes) for name, axes in self._inputs.items()}

    @property
    def outputs(self) -> Mapping[str, Axes]:
        return {name: dict(axes) for name, axes in self._outputs.items()}

    @property
    def values_override(self) -> Mapping[str, Any] | None:
        return None

    @property
    def _caveats_(self) -> tuple[str, ...]:
        return self._caveats

    @property
    def _lengths_(self) -> tuple[Mapping[str, int], ...]:
        return self._lengths

    def generate_dummy_inputs(  # type: ignore[override]
        self,
        preprocessor: Any = None,
        *,
        lengths: Mapping[str, int] | None = None,
        values: Values = "drawn",
        seed: int = 0,
        framework: Any = None,
    ) -> Mapping[str, Any]:
        """Return inputs by name.

        Args:
            preprocessor: Not used: only the signature is known.
            lengths: Length of each dynamic axis; None for the lengths that the model is traced with.
            values: Kind of values, as in `tfexport.validation.Case`.
            seed: Seed of drawn values.
            framework: ``"pt"``, ``"tf"`` or ``TensorType``; None for NumPy arrays.
        """
        chosen = self._lengths[0] if lengths is None else lengths
        arrays: dict[str, np.ndarray] = {}
        for spec in self._specs:
            axes = self._inputs[spec.name]
            shape = tuple(
                chosen[axes[axis]] if axis in axes else int(length or 1) for axis, length in enumerate(spec.shape)
            )
            arrays[spec.name] = self._tensors[spec.name].array(shape, values, seed)
        return to_framework(arrays, framework)
