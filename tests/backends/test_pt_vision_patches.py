"""Patches of PyTorch's vision models compute the same values as the originals, at odd and even sizes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the PyTorch backend's tests need PyTorch")

from transformers.models.mobilenet_v2.modeling_mobilenet_v2 import apply_tf_padding  # noqa: E402
from transformers.models.mobilevit.modeling_mobilevit import MobileViTLayer  # noqa: E402
from transformers.models.mobilevitv2.modeling_mobilevitv2 import MobileViTV2Layer  # noqa: E402

from tfexport.backends.pytorch.patches import mobilevit, same_padding  # noqa: E402

SIZES = [(6, 8), (7, 5), (4, 9), (3, 2)]


def _map(size: tuple[int, int], channels: int = 3) -> Any:
    return torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (1, 1, 1), (1, 2, 1), (5, 3, 1), (3, 1, 2)]
)
def test_same_padding(size: tuple[int, int], kernel: int, stride: int, dilation: int) -> None:
    convolution = torch.nn.Conv2d(3, 4, (kernel, kernel + 1), stride, dilation=dilation)
    expected = apply_tf_padding(_map(size), convolution)
    torch.testing.assert_close(same_padding._same_padding(_map(size), convolution), expected, rtol=0, atol=0)


@pytest.mark.parametrize("size", SIZES)
def test_patches_of_mobilevit(size: tuple[int, int]) -> None:
    layer = SimpleNamespace(patch_height=2, patch_width=2)
    patches, found = mobilevit._always_resized(layer, _map(size))
    expected, facts = MobileViTLayer.unfolding(layer, _map(size))
    torch.testing.assert_close(patches, expected, rtol=0, atol=0)
    assert found == facts | {"interpolate": True}
    torch.testing.assert_close(
        MobileViTLayer.folding(layer, patches, found), MobileViTLayer.folding(layer, expected, facts), rtol=0, atol=0
    )


@pytest.mark.parametrize("size", SIZES)
def test_patches_of_mobilevit_v2(size: tuple[int, int]) -> None:
    layer = SimpleNamespace(patch_height=2, patch_width=2)
    patches, whole = mobilevit._unfolded(layer, _map(size))
    expected, same = MobileViTV2Layer.unfolding(layer, _map(size))
    torch.testing.assert_close(patches, expected, rtol=0, atol=0)
    assert whole == same
    folded = mobilevit._folded(layer, patches, whole)
    torch.testing.assert_close(folded, MobileViTV2Layer.folding(layer, expected, same), rtol=0, atol=0)
