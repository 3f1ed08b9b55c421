"""``python -m tfexport.doctor.probes.tensorflow`` fails where the TensorFlow backend does not work."""

from typing import Any

from transformers import TFBertModel

from tfexport.backends.tensorflow import BACKEND, ops, patches
from tfexport.doctor.probes.probe import probe


def _model(config: Any) -> Any:
    model = TFBertModel(config)
    model.build_in_name_scope()
    return model


if __name__ == "__main__":
    probe(BACKEND, _model, (*patches.MODULES, *ops.MODULES))
