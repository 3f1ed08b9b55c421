"""Recurrent layers of Keras 3 and tf_keras as ONNX's LSTM, GRU and RNN.

`cells.py` says whether an operator computes a cell, and with which weights; `layers.py` runs a cell over a sequence. The
layers come here by ``patches/keras_recurrent.py`` and ``patches/tf_keras_recurrent.py``; what has no operator is traced as
Keras has it, as a loop.
"""

from __future__ import annotations

from tfexport.backends.tensorflow.recurrent.cells import operator_of
from tfexport.backends.tensorflow.recurrent.layers import Sequences, run_operator

__all__ = ["Sequences", "operator_of", "run_operator"]
