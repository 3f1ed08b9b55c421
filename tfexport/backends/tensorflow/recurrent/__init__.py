"""Recurrent layers of Keras 3 and tf_keras as ONNX's LSTM, GRU and RNN.

`backends/keras/recurrent.py` decides whether an operator computes a cell, `weights.py` arranges its weights, and `layers.py`
runs it over a sequence. ``patches/keras_recurrent.py`` and ``patches/tf_keras_recurrent.py`` call these functions. A layer
without an operator is traced as the loop that Keras runs.
"""

from __future__ import annotations

from tfexport.backends.keras.recurrent import Sequences, operator_of
from tfexport.backends.tensorflow.recurrent.layers import run_operator

__all__ = ["Sequences", "operator_of", "run_operator"]
