"""Facts about a model type that its configuration does not state, so that no generic module names a model type.

They belong to the type and not to a declaration: a user's own declaration of a GPT-2 needs them too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tfexport import dummy_inputs
from tfexport.declarations.tasks import normalise
from tfexport.dummy_inputs import InputRules, Vocabulary
from tfexport.dummy_inputs.rules import USUAL_RULES


@dataclass(frozen=True)
class ModelFacts:
    """Facts about one model type. The defaults hold for most types.

    Attributes:
        inputs: Rules for its dummy inputs.
        stacks_cache: Whether its TensorFlow class has one tensor ``(2, batch, heads, length, head size)`` per layer in its cache.
        caches_cross_attention: Whether it caches the keys and values of the cross attention when it is a decoder.
    """

    inputs: InputRules = USUAL_RULES
    stacks_cache: bool = False
    caches_cross_attention: bool = True


_FACTS: dict[str, ModelFacts] = {}
_USUAL = ModelFacts()


def record_facts(model_type: str, facts: ModelFacts) -> None:
    """Record the facts of a model type. The decorator `register` of the architectures does it."""
    _FACTS[model_type] = facts


def facts_of(config: Any) -> ModelFacts:
    """Return the facts of a configuration's model type; the usual ones for None and for a type that has no others."""
    return _FACTS.get(normalise(str(getattr(config, "model_type", None))), _USUAL)


def input_rules(config: Any) -> InputRules:
    """Return the rules for dummy inputs of a configuration. The type of its text part can add an end-of-text token."""
    rules, of_text = (facts_of(each).inputs for each in (config, getattr(config, "text_config", None)))
    return replace(rules, ends_with_token=rules.ends_with_token or of_text.ends_with_token)


def vocabulary_of(config: Any, preprocessor: Any, *, decoder: bool = False) -> Vocabulary:
    """Return the vocabulary of a tokenizer, or of a configuration without one, by the rules of the model type.

    Args:
        config: the model's configuration.
        preprocessor: a tokenizer, a processor that holds one, or None.
        decoder: whether the decoder's vocabulary is returned, where it has one of its own.

    Raises:
        InputsError: neither has a vocabulary.
    """
    return dummy_inputs.vocabulary(config, preprocessor, decoder=decoder, rules=input_rules(config))
