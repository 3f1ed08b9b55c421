"""ONNX Runtime: how this project opens a file, on which provider, and which errors that raises. Imported on first use."""
