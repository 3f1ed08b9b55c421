"""A live model in Python: a Keras model, or a ``tf.function``. Its backend refuses any other object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tfexport.checkpoints.source_kind import SourceKind
from tfexport.checkpoints.weight_files import WeightFiles


class PythonObject(SourceKind):
    """See `tfexport.checkpoints.source_kind.SourceKind`."""

    name = "python"
    description = "a model in Python"
    priority = 50
    is_on_disk = False
    loaders = {"tf": "tfexport.backends.tensorflow.signature_models.sources:load_live_model"}

    def recognises(self, source: Any, weights: Sequence[WeightFiles]) -> bool:
        return True

    def find_weights(self, source: Any) -> Iterator[WeightFiles]:
        yield WeightFiles("tf", f"a {type(source).__name__} in Python", ())


KIND = PythonObject()
