"""Levels: which passes run, in which order, and what is recorded of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.graph import texts
from tfexport.graph import DEFAULT, LEVELS, OnnxGraph, Port, finish
from tfexport.graph.contract import Contract
from tfexport.graph.passes.base import GraphPass

BODY = """
g (float[n, 3] x, float[4, 3] w) => (float[n, 4] y) {
  a = Identity (x)
  b = Transpose <perm = [1, 0]> (a)
  c = Transpose <perm = [1, 0]> (b)
  d = Transpose <perm = [1, 0]> (w)
  e = MatMul (c, d)
  y = Identity (e)
}
"""
CONTRACT = Contract((Port("x", "float32", ("n", 3)),), (Port("y", "float32", ("n", 4)),))
W = np.arange(12, dtype=np.float32).reshape(4, 3)
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def _finished(level: str) -> OnnxGraph:
    return finish(texts.weightless(BODY, {"w": W}), CONTRACT, 18, level)


def test_no_level_drops_a_pass_of_the_level_before() -> None:
    levels = list(LEVELS.values())
    assert all(set(lower) <= set(higher) for lower, higher in itertools.pairwise(levels))


def test_each_pass_belongs_to_a_level() -> None:
    in_levels = {type(each) for passes in LEVELS.values() for each in passes}
    assert {each for each in GraphPass.__subclasses__() if each.__module__.startswith("tfexport.")} == in_levels


@pytest.mark.parametrize(("level", "nodes"), [("O0", 6), ("O1", 1), ("O2", 1)])
def test_each_level_computes_the_same(level: str, nodes: int) -> None:
    found = _finished(level)
    assert sum(1 for _ in found.model.graph.all_nodes()) == nodes
    (y,) = texts.run(found.model, {"x": X})
    np.testing.assert_allclose(y, X @ W.T)


def test_o0_runs_no_pass() -> None:
    found = _finished("O0")
    assert found.level == "O0"
    assert found.passes == ()
    assert dict(found.matches) == {}


def test_each_pass_is_recorded_with_its_matches_zero_ones_too() -> None:
    found = finish(texts.weightless(BODY, {"w": W}), CONTRACT, 18)
    assert found.level == DEFAULT == "O1"
    assert dict(found.matches) == {
        "EliminateIdentities": 2,
        "CancelTransposes": 1,
        "FoldRecurrentWeights": 0,
        "FoldWeightTransposes": 1,
    }
    assert found.passes == ("EliminateIdentities", "CancelTransposes", "FoldWeightTransposes")
