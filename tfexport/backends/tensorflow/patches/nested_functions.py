"""A model's own ``tf.function``s, whose traces for the file are kept apart from those for running.

TensorFlow keeps the first trace of a function and calls it again, also when the model runs eagerly afterwards. The reference
run, which must be unpatched, would then call the patched trace. Traces made here are therefore kept under another key.
"""

from __future__ import annotations

from typing import Any

from tensorflow.python.eager.polymorphic_function import function_context

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("tensorflow", ">=2.21,<2.22")


def specs() -> list[PatchingSpec]:
    """Return the patch. TensorFlow 2.21 has no public way to separate the traces that a function keeps."""
    original = function_context.make_function_context

    def make_function_context(scope_type: Any = None) -> Any:
        context = original(scope_type)
        return context._replace(scope_type=("tfexport", context.scope_type))

    return [PatchingSpec(function_context, "make_function_context", make_function_context)]
