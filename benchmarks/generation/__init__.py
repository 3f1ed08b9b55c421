"""Tokens a second: files with a cache in ONNX Runtime, against the frameworks' own ``generate``.

`models` makes a model and its file; `engines` are the ways to write text with them; `worker` gives each a process of its
own; `summary` is arithmetic on what they measure; `run` asks them in turn, and keeps what they answer.
"""
