"""What a user must know of an export beside its numbers, as far as the loaded model and its files show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfexport.checkpoints.sentence_modules import absent_modules
from tfexport.declarations.tasks import GENERATING, WITH_PAST
from tfexport.graph import OnnxGraph
from tfexport.pipeline.plan import Plan

SPECIAL_TOKENS = (
    "eos_token_id",
    "bos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
)
"""Names of ids in transformers' configurations that generation writes or compares with."""
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
        tokens = special_tokens(model.config, getattr(model, "generation_config", None))
        for size in sorted(set(_vocabulary_sizes(graphs))):
            found += [_sentence(name, token, size) for name, token in outside(tokens, size)]
    if plan.checkpoint.path is not None:
        found += [
            f"does not load in sentence-transformers: modules.json names {name}, which {plan.checkpoint.source} does not have"
            for name in absent_modules(plan.checkpoint.path)
        ]
    return found


def special_tokens(config: Any, generation: Any) -> dict[str, list[int]]:
    """Return the ids of special tokens by name. Those of the generation config take precedence, as in ``generate``.

    Args:
        config: transformers' configuration of the model.
        generation: Its generation config; None for a model without one.
    """
    found = {}
    for name in SPECIAL_TOKENS:
        own = getattr(generation, name, None)
        value = getattr(config, name, None) if own is None else own
        if value is not None:
            found[name] = [token for token in (value if isinstance(value, Sequence) else [value]) if type(token) is int]
    return found


def outside(tokens: Mapping[str, Sequence[int]], size: int) -> Iterator[tuple[str, int]]:
    """Yield the name and the id of each special token that a vocabulary of a size does not have."""
    for name, ids in tokens.items():
        yield from ((name, token) for token in ids if not 0 <= token < size)


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
