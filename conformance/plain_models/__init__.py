"""Keras and TensorFlow models without a transformers configuration, exported by tfexport, stock tf2onnx and Keras itself."""
