"""What is replaced in TensorFlow and in transformers' TensorFlow models while a model is traced, each with its cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tfexport.onnx_config import PatchingSpec


def _specs() -> list[PatchingSpec]:
    return []


@contextmanager
def patched_tensorflow() -> Iterator[None]:
    """Patch for the duration of a block; undone however the block ends."""
    with ExitStack() as stack:
        for spec in _specs():
            stack.callback(spec.apply())
        yield
