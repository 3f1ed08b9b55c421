"""The passes of each level of optimisation, in the order in which they run.

A pass belongs to a level by one line here. Each level has all passes of the level before it.
"""

from __future__ import annotations

from collections.abc import Mapping

from tfexport.graph.passes.base import GraphPass
from tfexport.graph.passes.cancel_transposes import CancelTransposes
from tfexport.graph.passes.eliminate_identities import EliminateIdentities
from tfexport.graph.passes.fold_recurrent_weights import FoldRecurrentWeights
from tfexport.graph.passes.fold_transposes import FoldWeightTransposes

CONTRACT_ONLY: tuple[GraphPass, ...] = ()
CLEAN = (
    *CONTRACT_ONLY,
    EliminateIdentities(),
    CancelTransposes(),
    FoldRecurrentWeights(),
    FoldWeightTransposes(),
)
FUSED = (*CLEAN,)

LEVELS: Mapping[str, tuple[GraphPass, ...]] = {"O0": CONTRACT_ONLY, "O1": CLEAN, "O2": FUSED}
"""Passes by level. O0 keeps the graph of the converter; O1 removes what no runtime needs; O2 has fusions too, none yet."""
DEFAULT = "O1"
