"""A model's own ``tf.function``s, traced for the file apart from how they are traced to run.

What a function was first traced as is kept and called again, also when the model runs eagerly afterwards: without its
patches, on the inputs that the file is judged by. What is traced here is kept under another key.
"""

from __future__ import annotations

from typing import Any

from tensorflow.python.eager.polymorphic_function import function_context

from tfexport.declarations.patching import PatchingSpec

FOR_ALL = True


def specs() -> list[PatchingSpec]:
    """The patch. TensorFlow 2.21 has no public way to part what a function keeps."""
    original = function_context.make_function_context

    def make_function_context(scope_type: Any = None) -> Any:
        context = original(scope_type)
        return context._replace(scope_type=("tfexport", context.scope_type))

    return [PatchingSpec(function_context, "make_function_context", make_function_context)]
