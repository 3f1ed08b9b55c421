"""A signature of a SavedModel as a model that declares itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import tensorflow as tf

from tfexport.backends.signature_model import SignatureModel
from tfexport.backends.tensorflow.signature_models.functions import model_of_function
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.errors import CorruptCheckpointError, InputsError, UntrustedCodeError, first_line

DEFAULT_SIGNATURE = "serving_default"
DEFAULT_TAG = "serve"


def load_saved_model(checkpoint: Checkpoint) -> SignatureModel:
    """Load one signature of a SavedModel.

    Raises:
        UntrustedCodeError: The user has not allowed its code to run.
        CorruptCheckpointError: The SavedModel cannot be read.
        InputsError: The SavedModel has no such signature, or no graph of that tag.
    """
    folder, options, source = checkpoint.path, checkpoint.options, checkpoint.source
    assert folder is not None
    if not options.trust:
        raise UntrustedCodeError(
            f"{source} is a SavedModel: a TensorFlow program, which can read and write files when it runs. If you trust its "
            "source, pass --trust (trust=True)."
        )
    tag = options.tag or DEFAULT_TAG
    try:
        loaded = tf.saved_model.load(str(folder), tags=[tag])
    except Exception as error:  # the boundary of TensorFlow: what others wrote decides what it raises
        if isinstance(error, (RuntimeError, ValueError)) and "tag" in str(error):
            raise InputsError(
                f"{source} has no graph of the tag {tag!r}: {first_line(error)} Name a tag by --tag (tag=...)."
            ) from error
        raise CorruptCheckpointError(f"{source} cannot be read as a SavedModel: {first_line(error)}") from error
    signatures = dict(loaded.signatures)
    name = options.signature or (DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in signatures else next(iter(signatures), ""))
    if name not in signatures or (options.signature is None and name != DEFAULT_SIGNATURE and len(signatures) > 1):
        raise InputsError(
            f"{source} has the signatures {', '.join(signatures) or 'none'}; {options.signature or DEFAULT_SIGNATURE!r} is "
            "not among them. Name one by --signature (signature=...). A model without signatures can be saved again with "
            "signatures=, or passed to tfexport.export_model as a tf.function."
        )
    function = signatures[name]
    order = tuple(getattr(function, "_arg_keywords", None) or ())
    model = model_of_function(function, f"{folder.resolve().name} ({name})", name, kept=loaded, order=order)

    def call(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        # TensorFlow returns them in an order that differs from one process to the next.
        return dict(sorted(model.function(tensors).items()))

    return replace(model, function=call)
