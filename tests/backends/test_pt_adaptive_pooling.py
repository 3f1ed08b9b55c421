"""Adaptive pooling by matrices, compared with torch's own."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the PyTorch backend's tests need PyTorch")

from tfexport.backends.pytorch.patches import adaptive_pooling  # noqa: E402


@pytest.mark.parametrize("size", [1, 2, 3, 6, (3, 5), (1, 4)])
@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 2, 7, 5), (2, 1, 1, 9), (3, 12, 6)])
def test_as_torch_has_it(shape: tuple[int, ...], size: Any) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        adaptive_pooling._pool(values, size), torch.nn.functional.adaptive_avg_pool2d(values, size)
    )


def test_an_axis_that_is_not_pooled() -> None:
    values = torch.randn(2, 3, 4, 6)
    expected = torch.nn.functional.adaptive_avg_pool2d(values, (None, 3))
    torch.testing.assert_close(adaptive_pooling._pool(values, (None, 3)), expected)
