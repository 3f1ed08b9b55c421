"""What frameworks count for the whole process: names of Keras's layers, and random numbers. Both begin anew for each model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from tfexport.processes.random_state import begin_anew

_KERAS_3 = "keras.src.backend.common.global_state"
_COUNTS_OF_KERAS_3 = "object_name_uids"
_TF_KERAS = "tf_keras.src.backend"
_COUNTS_OF_TF_KERAS = "PER_GRAPH_OBJECT_NAME_UIDS"


@contextmanager
def as_in_new_process() -> Iterator[None]:
    """Let a block name layers and draw random numbers as in a new process. The user's code counts on afterwards where it was.

    Keras counts the names of layers without one: the second BERT of a process is ``tf_bert_model_1``. Such names are in the names
    of the file's nodes. The caller is `tfexport.processes.locks.exclusive`, which restores the user's random numbers.
    """
    with _fresh_names_of_keras_3(), _fresh_names_of_tf_keras():
        begin_anew()
        yield


@contextmanager
def _fresh_names_of_keras_3() -> Iterator[None]:
    state = sys.modules.get(_KERAS_3)
    before = None if state is None else state.get_global_attribute(_COUNTS_OF_KERAS_3)
    if state is not None:
        state.set_global_attribute(_COUNTS_OF_KERAS_3, None)
    try:
        yield
    finally:
        state = sys.modules.get(_KERAS_3)  # the block may be the first that imports it
        if state is not None:
            state.set_global_attribute(_COUNTS_OF_KERAS_3, before)


@contextmanager
def _fresh_names_of_tf_keras() -> Iterator[None]:
    state = sys.modules.get(_TF_KERAS)
    before: object = WeakKeyDictionary() if state is None else getattr(state, _COUNTS_OF_TF_KERAS)
    if state is not None:
        setattr(state, _COUNTS_OF_TF_KERAS, WeakKeyDictionary())
    try:
        yield
    finally:
        state = sys.modules.get(_TF_KERAS)
        if state is not None:
            setattr(state, _COUNTS_OF_TF_KERAS, before)
