"""Names of TensorFlow's variables in graphs, without an import of TensorFlow."""

from __future__ import annotations

from typing import Any


def variable_name(variable: Any, scope: str) -> str:
    """Return a variable's name in graphs and checkpoints: without its output and without the model's own name.

    Keras numbers the models of a process (``tf_bert_model_1``); a file must not depend on how many came before.

    Args:
        variable: A ``tf.Variable``.
        scope: The model's own name, with which the variable's name begins.
    """
    return str(variable.name).removesuffix(":0").removeprefix(f"{scope}/")
