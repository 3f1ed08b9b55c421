"""Whether a backend works here: export one small model with it and compare."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from transformers import BertConfig

from tfexport.backends.base import Backend
from tfexport.backends.versions import not_applied
from tfexport.declarations.features import config_factory
from tfexport.doctor.probes import NOT_APPLIED
from tfexport.errors import TfExportError
from tfexport.onnx.convert import export, validate_model_outputs


def probe(backend: Backend, make_model: Callable[[Any], Any], patches: Iterable[ModuleType]) -> None:
    """Print each patch that does not apply here, then export a BERT of two thousand weights.

    Args:
        backend: The backend.
        make_model: Function from a configuration to the framework's model.
        patches: Modules of the backend's patches and op handlers.

    Raises:
        SystemExit: The backend does not work; the message says why.
    """
    sys.stdout.writelines(f"{NOT_APPLIED}{sentence}\n" for sentence in not_applied(patches))
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=30, max_position_embeddings=32, attn_implementation="eager", **sizes)
    declaration = config_factory("bert", "default")(config)
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.onnx"
            model = make_model(config)
            _, outputs = export(None, model, declaration, declaration.default_onnx_opset, file)
            validate_model_outputs(declaration, None, model, file, outputs, declaration.atol_for_validation)
    except TfExportError as error:
        raise SystemExit(f"{backend.framework}: {error}") from error
