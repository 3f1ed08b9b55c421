"""Small functions of torch and transformers that cannot be traced unpatched."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch backend's tests need PyTorch")

from torch.onnx.errors import OnnxExporterError, UnsupportedOperatorError  # noqa: E402
from transformers import masking_utils  # noqa: E402
from transformers.models.tapas import modeling_tapas  # noqa: E402

from tfexport.backends.pytorch.patches import linspace, packed_sequences, tapas_segments  # noqa: E402
from tfexport.processes.patching import patched  # noqa: E402


class Called(torch.nn.Module):  # type: ignore[name-defined, misc]
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: Any) -> Any:
        return self.function(*tensors)


def _exported(function: Callable[..., Any], tensors: tuple[Any, ...], axes: dict[str, Any]) -> Any:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Called(function),
            tensors,
            file,
            dynamo=False,
            opset_version=18,
            input_names=[f"x{i}" for i in range(len(tensors))],
            dynamic_axes=axes,
        )
    return ort.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])


@contextmanager
def _patched(module: Any) -> Iterator[None]:
    with patched(module.specs()):
        yield


REDUCTIONS = ("reduce_sum", "reduce_mean", "reduce_min", "reduce_max")
ROWS = {"x0": {0: "batch", 1: "tokens"}, "x1": {0: "batch", 1: "tokens"}}


def _segments(reduction: str) -> Callable[[Any, Any], Any]:
    def reduced(values: Any, ids: Any) -> Any:
        index = modeling_tapas.IndexMap(ids, 7, batch_dims=1)
        made, own = getattr(modeling_tapas, reduction)(values, index)
        return made, own.indices

    return reduced


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", [torch.float32, torch.int64])
def test_segments_are_reduced_as_transformers_does_it(reduction: str, kind: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [
        (torch.randint(-9, 9, shape, generator=generator).to(kind), torch.randint(0, 5, shape, generator=generator))
        for shape in ((2, 8), (3, 13), (1, 1))
    ]
    with _patched(tapas_segments):
        session = _exported(_segments(reduction), batches[0], ROWS)
        again = [_segments(reduction)(*batch) for batch in batches]
    for batch, ours in zip(batches, again, strict=True):
        expected = _segments(reduction)(*batch)
        made = session.run(None, {"x0": batch[0].numpy(), "x1": batch[1].numpy()})
        for reference, value, computed in zip(expected, made, ours, strict=True):
            np.testing.assert_allclose(value, reference, rtol=1e-6)
            assert computed.dtype == reference.dtype
            torch.testing.assert_close(computed, reference)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_transformers_own_reduction_still_cannot_be_exported(reduction: str) -> None:
    values, ids = torch.ones(2, 8), torch.zeros(2, 8, dtype=torch.int64)
    with pytest.raises(OnnxExporterError, match="ONNX does not support"):
        _exported(_segments(reduction), (values, ids), ROWS)


POSITIONS = (torch.tensor([[0, 1, 2, 0, 1, 0]]), torch.tensor([[0, 1, 2], [4, 5, 7]]))


def _packed(positions: Any) -> Any:
    return masking_utils.find_packed_sequence_indices(positions)


def test_packed_sequences_are_found_as_transformers_finds_them() -> None:
    with _patched(packed_sequences):
        session = _exported(_packed, POSITIONS[:1], {"x0": {0: "batch", 1: "sequence"}})
    for positions in POSITIONS:
        np.testing.assert_array_equal(session.run(None, {"x0": positions.numpy()})[0], _packed(positions))


def test_torch_still_has_no_mapping_for_diff() -> None:
    with pytest.raises(UnsupportedOperatorError, match="aten::diff"):
        _exported(_packed, POSITIONS[:1], {})


def _spaced(like: Any) -> Any:
    return torch.linspace(1.0, 112.0, 64) + 0 * like.sum(), torch.linspace(-1.0, 1.0, like.shape[0])


def _furthest(session: Any, length: int) -> tuple[float, float]:
    like = torch.ones(length)
    made = session.run(None, {"x0": like.numpy()})
    fixed, counted = (float(np.abs(m - e.numpy()).max()) for m, e in zip(made, _spaced(like), strict=True))
    return fixed, counted


def test_spaces_are_those_of_torch() -> None:
    with _patched(linspace):
        session = _exported(_spaced, (torch.ones(32),), {"x0": {0: "length"}})
    for length in (1, 2, 3, 32, 56, 224):
        fixed, counted = _furthest(session, length)
        assert fixed == 0.0
        assert counted <= 2**-24  # half of the last bit of numbers near 1


def test_torch_still_rounds_otherwise() -> None:
    fixed, counted = _furthest(_exported(_spaced, (torch.ones(32),), {"x0": {0: "length"}}), 224)
    assert fixed > 0.0 or counted > 2**-24
