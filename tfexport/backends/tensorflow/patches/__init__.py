"""What is replaced in transformers' TensorFlow models while a model is traced: one file a cause.

Each module has `specs()`: the patches for what is imported already, so that no model is imported for a patch's sake.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tfexport.backends.tensorflow.patches import deberta_bias

_MODULES = (deberta_bias,)


@contextmanager
def patched_tensorflow() -> Iterator[None]:
    """Patch for the duration of a block; undone however the block ends."""
    with ExitStack() as stack:
        for module in _MODULES:
            for spec in module.specs():
                stack.callback(spec.apply())
        yield
