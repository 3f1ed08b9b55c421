"""``python -m tfexport.doctor.probes.tensorflow``: whether this backend works here."""

from typing import Any

from transformers import TFBertModel

from tfexport.backends.tensorflow import BACKEND
from tfexport.doctor.probes.probe import probe


def _model(config: Any) -> Any:
    model = TFBertModel(config)
    model.build_in_name_scope()
    return model


if __name__ == "__main__":
    probe(BACKEND, _model)
