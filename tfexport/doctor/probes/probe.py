"""Whether a backend works here: export one small model with it and compare."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from tfexport.backends.base import Backend
from tfexport.backends.keras import keras_on
from tfexport.backends.versions import not_applied
from tfexport.checkpoints.framework import FRAMEWORK_NAMES, Framework
from tfexport.checkpoints.transformers_api import class_named
from tfexport.declarations.features import config_factory
from tfexport.doctor.probes import NOT_APPLIED
from tfexport.errors import FrameworkNotInstalledError, TfExportError
from tfexport.onnx.convert import export, validate_model_outputs
from tfexport.pipeline.export import export_model


def probe(backend: Backend, make_model: Callable[[Any], Any], patches: Iterable[ModuleType]) -> None:
    """Print each patch that does not apply here, then export a small model: a BERT, or a Keras file without transformers.

    Args:
        backend: The backend.
        make_model: Function from a configuration of BERT to the framework's model.
        patches: Modules of the backend's patches and op handlers.

    Raises:
        SystemExit: The backend does not work; the message says why.
    """
    sys.stdout.writelines(f"{NOT_APPLIED}{sentence}\n" for sentence in not_applied(patches))
    try:
        with tempfile.TemporaryDirectory() as folder:
            if find_spec("transformers") is None:
                _export_keras_file(backend.framework, Path(folder))
            else:
                _export_bert(backend, make_model, Path(folder))
    except TfExportError as error:
        raise SystemExit(f"{backend.framework}: {error}") from error


def _export_bert(backend: Backend, make_model: Callable[[Any], Any], folder: Path) -> None:
    """Export a BERT of two thousand weights."""
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = class_named("BertConfig")(vocab_size=30, max_position_embeddings=32, attn_implementation="eager", **sizes)
    declaration = config_factory("bert", "default")(config)
    file, model = folder / "model.onnx", make_model(config)
    _, outputs = export(None, model, declaration, declaration.default_onnx_opset, file)
    validate_model_outputs(declaration, None, model, file, outputs, declaration.atol_for_validation)


def _export_keras_file(framework: Framework, folder: Path) -> None:
    """Export a Keras file of ten weights.

    Raises:
        FrameworkNotInstalledError: Keras is not installed either.
    """
    if find_spec("keras") is None:
        raise FrameworkNotInstalledError(
            f"neither transformers nor Keras is installed, and one of them must load a model of {FRAMEWORK_NAMES[framework]}. "
            "Install tfexport[transformers] for checkpoints of transformers, or the package keras for Keras files."
        )
    keras = keras_on(framework)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    model.save(folder / "model.keras")
    export_model(folder / "model.keras", folder / "exported", framework=framework)
