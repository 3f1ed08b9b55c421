"""``python -m tfexport.doctor.probes.pytorch`` fails where the PyTorch backend does not work."""

from typing import Any

from tfexport.backends.pytorch import BACKEND, patches
from tfexport.checkpoints.transformers_api import class_named
from tfexport.doctor.probes.probe import probe


def _model(config: Any) -> Any:
    return class_named("BertModel")(config).eval()


if __name__ == "__main__":
    probe(BACKEND, _model, patches.MODULES)
