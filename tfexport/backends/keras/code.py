"""Code in the configuration of a Keras model: everything that it names and that is not on the list of a `Vocabulary`.

The Keras that loads a file is the one that is asked. Keras 3 refuses most code of its own, but a file that Keras 3
does not load goes to tf_keras, which refuses only Lambda layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tfexport.backends.keras.vocabulary import OP_LAYERS, Vocabulary
from tfexport.text import shortened

_LONGEST_NAME = 100
_KERASES = ("keras", "tf_keras")
_TEXTS = ("activation", "initializer", "regularizer", "constraint")
"""Last words of the parameters that accept a function by its name."""
_FILES = ("vocabulary", "merges", "proto")
"""Parameters of layers for text that accept a list, or the name of a file, which is read when the model is loaded."""


def code_in(config: Any, vocabulary: Vocabulary) -> list[str]:
    """Return the code in a configuration, sorted: the name of each layer, with the class or function in parentheses.

    Args:
        config: The configuration, as parsed from JSON.
        vocabulary: The names that the Keras that loads the file allows.
    """
    found = set()
    for item, layer in objects(config):
        found |= {f"{_named(item, layer)} ({shortened(code, _LONGEST_NAME)})" for code in _codes(item, vocabulary)}
    return sorted(found)


def objects(config: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield every mapping in a configuration, with the name of the nearest layer around it."""
    waiting = [(config, "?")]
    while waiting:
        value, layer = waiting.pop()
        if isinstance(value, Mapping):
            yield value, layer
            inner = _named(value, layer)
            waiting += [(each, inner) for each in value.values()]
        elif isinstance(value, list | tuple):
            waiting += [(each, layer) for each in value]


def _codes(item: Mapping[str, Any], vocabulary: Vocabulary) -> Iterator[str]:
    """Yield the code that a mapping of a configuration names."""
    if "class_name" in item and not vocabulary.allows(item):
        yield _described(item)
    for key, value in item.items():
        if isinstance(value, str):
            if str(key).rpartition("_")[2] in _TEXTS and not vocabulary.allows_text(value):
                yield value
            if key in _FILES:
                yield f"the file {value}"


def _described(item: Mapping[str, Any]) -> str:
    """Return what an object names: its class, without the module if that is Keras's, or its function; and its alias."""
    name, config, registered = item["class_name"], item.get("config"), item.get("registered_name")
    if name in OP_LAYERS:
        own = config if isinstance(config, Mapping) else {}
        node = own.get("node_def")
        function = own.get("function", "") if not isinstance(node, Mapping) else f"raw_ops.{node.get('op')}"
        return f"{name} of tf.{shortened(str(function), _LONGEST_NAME)}"
    module, called = item.get("module"), config if name == "function" else name
    if name != "function" and str(module).partition(".")[0] in _KERASES:
        module = None
    parts = [shortened(str(each), _LONGEST_NAME) for each in (module, called) if each is not None]
    alias = str(registered).rpartition(">")[2]
    known = registered in (None, name) or alias == called
    return ".".join(parts) + ("" if known else f" as {shortened(str(registered), _LONGEST_NAME)}")


def _named(item: Mapping[str, Any], layer: str) -> str:
    config = item.get("config")
    name = config.get("name") if isinstance(config, Mapping) else None
    return layer if name is None else shortened(str(name), _LONGEST_NAME)
