"""``python -m tfexport.backends.pytorch.probe``: whether this backend works here."""

from typing import Any

from transformers import BertModel

from tfexport.backends.probe import probe
from tfexport.backends.pytorch import BACKEND


def _model(config: Any) -> Any:
    return BertModel(config).eval()


if __name__ == "__main__":
    probe(BACKEND, _model)
