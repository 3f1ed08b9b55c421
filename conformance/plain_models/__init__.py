"""Plain Keras and TensorFlow models: what tfexport, stock tf2onnx and Keras's own ONNX export make of them."""
