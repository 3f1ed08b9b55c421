"""A fuzzer of what reads the files of others.

    python -m tests.fuzz --seconds 600              # all targets, with new inputs each time (make fuzz SECONDS=600)
    python -m tests.fuzz --only onnx --seconds 60   # one target

A target (`targets`) is a file that tfexport reads, in a folder in which everything else is sound, and the functions that read it.
Hypothesis changes sound samples (`mutations`): values of wrong types and sizes at any place of a document, deep nesting, other
bytes. Reading raises nothing but tfexport's own errors, ends in time, and writes nothing. A library of native code that parses
(HDF5, ONNX, ONNX Runtime) does so in a child process with limits.

`test_fuzz.py` runs each target for some seconds with the same inputs each time, and replays the corpus: inputs that a function
once failed on, one file each, in ``corpus/<target>``. The long run adds the inputs that it finds.
"""
