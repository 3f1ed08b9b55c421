"""The first layer that differs, in computations that the tests make up."""

from __future__ import annotations

import numpy as np
import pytest

from tfexport.parity.divergence import first_divergent, swapped_outputs

RANDOM = np.random.default_rng(0)
A, B, C = (RANDOM.normal(size=(2, 3, 4)).astype(np.float32) for _ in range(3))


def test_layers_are_found_by_their_outputs() -> None:
    found = first_divergent({"m/a": A, "m/b": B, "m": C}, {"x_1": C, "x_2": B, "x_3": A})
    assert found.first is None
    assert [(layer.name, layer.nearest) for layer in found.layers] == [("m/a", "x_3"), ("m/b", "x_2"), ("m", "x_1")]


def test_the_first_that_is_not_found() -> None:
    off = B.copy()
    off[0, 0, 0] += 0.01
    found = first_divergent({"m/a": A, "m/b": B, "m/c": C, "m": C}, {"1": A, "2": off, "3": C + 1, "4": C + 1})
    assert found.first is not None
    assert (found.first.name, found.first.nearest) == ("m/b", "2")
    assert found.before is not None
    assert found.before.name == "m/a"
    assert found.first.error == pytest.approx(0.01 / np.abs(B).max(), rel=1e-3)


def test_a_layer_within_one_that_is_found_is_not_a_fault() -> None:
    """A converter may have no tensor for the inner layer, whose caller is correct."""
    found = first_divergent({"m/block/inner": B, "m/block": A, "m/next": C, "m": C}, {"1": A, "2": C + 1})
    assert found.first is not None
    assert found.first.name == "m/next"


def test_a_layer_without_a_tensor_of_its_size_is_passed_over() -> None:
    found = first_divergent({"m/odd": np.ones(5, np.float32), "m/b": B, "m": B}, {"1": A})
    assert found.layers[0].error is None
    assert found.first is not None
    assert found.first.name == "m/b"


@pytest.mark.parametrize("order", [(0, 3, 1, 2), (0, 2, 3, 1), (0, 1, 2, 3)])
def test_other_orders_of_axes(order: tuple[int, ...]) -> None:
    image = RANDOM.normal(size=(2, 3, 4, 5)).astype(np.float32)
    assert first_divergent({"m": image}, {"1": np.ascontiguousarray(image.transpose(order))}).first is None


def test_axes_of_one_length() -> None:
    """Channels first or last are a layout, but swapped heads and positions are a fault."""
    cube = RANDOM.normal(size=(2, 4, 4, 4)).astype(np.float32)
    assert first_divergent({"m": cube}, {"1": np.ascontiguousarray(cube.transpose(0, 3, 1, 2))}).first is None
    assert first_divergent({"m": cube}, {"1": np.ascontiguousarray(cube.transpose(0, 2, 1, 3))}).first is not None


def test_another_shape_of_the_same_elements() -> None:
    assert first_divergent({"m": A}, {"1": A.reshape(6, 4)}).first is None


def test_noise_is_not_a_divergence() -> None:
    assert first_divergent({"m": A}, {"1": A * np.float32(1 + 1e-6)}).first is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite(bad: float) -> None:
    broken = A.copy()
    broken[1, 2, 3] = bad
    found = first_divergent({"m": A}, {"1": broken})
    assert found.first is not None
    assert found.first.error == float("inf")
    assert first_divergent({"m": broken}, {"1": broken.copy()}).first is None


def test_outputs_that_have_each_others_values() -> None:
    found = swapped_outputs({"start": A, "end": B}, {"start": B, "end": A}, ["start", "end"])
    assert found == [("start", "end"), ("end", "start")]
    assert swapped_outputs({"start": A, "end": B}, {"start": C, "end": B}, ["start"]) == []
