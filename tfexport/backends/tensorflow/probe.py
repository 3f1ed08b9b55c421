"""``python -m tfexport.backends.tensorflow.probe``: whether this backend works here."""

from typing import Any

from transformers import TFBertModel

from tfexport.backends.probe import probe
from tfexport.backends.tensorflow import BACKEND


def _model(config: Any) -> Any:
    model = TFBertModel(config)
    model.build_in_name_scope()
    return model


if __name__ == "__main__":
    probe(BACKEND, _model)
