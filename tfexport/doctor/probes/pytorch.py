"""``python -m tfexport.doctor.probes.pytorch`` fails where the PyTorch backend does not work."""

from typing import Any

from transformers import BertModel

from tfexport.backends.pytorch import BACKEND, patches
from tfexport.doctor.probes.probe import probe


def _model(config: Any) -> Any:
    return BertModel(config).eval()


if __name__ == "__main__":
    probe(BACKEND, _model, patches.MODULES)
