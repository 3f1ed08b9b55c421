"""What a user must know of an export beside its numbers, as far as the loaded model and its files show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tfexport.checkpoints.sentence_modules import absent_modules
from tfexport.declarations.tasks import GENERATING, WITH_PAST
from tfexport.graph import OnnxGraph
from tfexport.pipeline.plan import Plan
from tfexport.pipeline.special_tokens import SPECIAL_TOKENS, configured, outside

_LOGITS = "logits"
_END = "eos_token_id"


def caveats_of(plan: Plan, model: Any, graphs: Mapping[str, OnnxGraph]) -> list[str]:
    """Return sentences without a subject, which is the export.

    Args:
        plan: Plan of the export.
        model: The loaded model.
        graphs: The graphs by name.
    """
    found = []
    if plan.feature.removesuffix(WITH_PAST) in GENERATING:
        tokens = configured(SPECIAL_TOKENS, model.config, getattr(model, "generation_config", None))
        for size in sorted(set(_vocabulary_sizes(graphs))):
            found += [_sentence(name, token, size) for name, token in outside(tokens, size)]
    if plan.checkpoint.path is not None:
        found += [
            f"does not load in sentence-transformers: modules.json names {name}, which {plan.checkpoint.source} does not have"
            for name in absent_modules(plan.checkpoint.path)
        ]
    return found


def _sentence(name: str, token: int, size: int) -> str:
    effect = "never ends a text before its longest length" if name == _END else "cannot write or pad text as configured"
    return (
        f"{effect}: {name} is {token}, and the vocabulary has {size} tokens. Set it in generation_config.json, or pass it to the "
        "client"
    )


def _vocabulary_sizes(graphs: Mapping[str, OnnxGraph]) -> Iterator[int]:
    for graph in graphs.values():
        for port in graph.contract.outputs:
            if port.name == _LOGITS and isinstance(port.shape[-1], int):
                yield port.shape[-1]
