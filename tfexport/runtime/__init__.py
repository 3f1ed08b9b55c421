"""ONNX Runtime: how this project opens a file, on which provider, and what can go wrong. Imported on first use."""
