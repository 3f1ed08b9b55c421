"""Recurrent layers of Keras 3 and tf_keras as ONNX's LSTM, GRU and RNN.

`backends/keras/recurrent.py` says whether an operator computes a cell; `weights.py` lays out its weights; `layers.py` runs
it over a sequence. The layers come here by ``patches/keras_recurrent.py`` and ``patches/tf_keras_recurrent.py``; what has
no operator is traced as Keras has it, as a loop.
"""

from __future__ import annotations

from tfexport.backends.keras.recurrent import Sequences, operator_of
from tfexport.backends.tensorflow.recurrent.layers import run_operator

__all__ = ["Sequences", "operator_of", "run_operator"]
