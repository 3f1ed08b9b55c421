"""X-MOD's adapter of one language.

transformers 4.57 splits a batch into runs of one language, by lengths that tracing makes constants: the file would accept
only the traced batch size. The language is not an input of the file, so there is one run, in the default language.
"""

from __future__ import annotations

import sys
from typing import Any

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.xmod.modeling_xmod"


def specs() -> list[PatchingSpec]:
    """Return the patch if X-MOD is imported."""
    module = sys.modules.get(_MODULE)
    return [] if module is None else [PatchingSpec(module.XmodOutput, "lang_adapter", _adapter_of_one_language)]


def _adapter_of_one_language(self: Any, lang_ids: Any, hidden_states: Any) -> Any:
    """Add the adapter's output to the hidden states ``(batch, sequence, hidden)``.

    Args:
        self: An ``XmodOutput``.
        lang_ids: ``(batch,)``, all equal: the index of the language's adapter.
        hidden_states: ``(batch, sequence, hidden)``.
    """
    norm = self.adapter_layer_norm
    if norm is None and self.adapter_reuse_layer_norm:
        norm = self.LayerNorm
    states = hidden_states if norm is None else norm(hidden_states)
    residual = states if self.ln_before_adapter else hidden_states
    adapter = list(self.adapter_modules.values())[int(lang_ids[0])]
    return self.dropout(adapter(states)) + residual
