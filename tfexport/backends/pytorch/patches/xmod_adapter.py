"""X-MOD's adapter of one language.

transformers 4.57 splits a batch into runs of one language, by lengths that tracing makes constants: the file would take
the traced batch size only. The language is no input of the file, so that there is one run, of the default language.
"""

from __future__ import annotations

import sys
from typing import Any

from tfexport.declarations.patching import PatchingSpec

_MODULE = "transformers.models.xmod.modeling_xmod"


def specs() -> list[PatchingSpec]:
    """The patch, when X-MOD is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module.XmodOutput, "lang_adapter", _adapter_of_one_language)]


def _adapter_of_one_language(self: Any, lang_ids: Any, hidden_states: Any) -> Any:
    """Hidden states ``(batch, sequence, hidden)`` with what the adapter adds.

    Args:
        self: an ``XmodOutput``.
        lang_ids: ``(batch,)``, all alike: the language's place among the adapters.
        hidden_states: ``(batch, sequence, hidden)``.
    """
    norm = self.adapter_layer_norm
    if norm is None and self.adapter_reuse_layer_norm:
        norm = self.LayerNorm
    states = hidden_states if norm is None else norm(hidden_states)
    residual = states if self.ln_before_adapter else hidden_states
    adapter = list(self.adapter_modules.values())[int(lang_ids[0])]
    return self.dropout(adapter(states)) + residual
