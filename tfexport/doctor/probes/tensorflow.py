"""``python -m tfexport.doctor.probes.tensorflow`` fails where the TensorFlow backend does not work."""

from typing import Any

from tfexport.backends.tensorflow import BACKEND, ops, patches
from tfexport.checkpoints.transformers_api import class_named
from tfexport.doctor.probes.probe import probe


def _model(config: Any) -> Any:
    model = class_named("TFBertModel")(config)
    model.build_in_name_scope()
    return model


if __name__ == "__main__":
    probe(BACKEND, _model, (*patches.MODULES, *ops.MODULES))
