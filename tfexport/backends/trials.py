"""Trials of a model that declares itself: does it run on these inputs, and which shapes does it return?

A model can take its process with it: an integer that sizes a tensor makes TensorFlow allocate all memory, or abort. So a model
from disk is tried in a child process with limits of memory and time, and the death of the child is an answer. A model in Python
cannot be sent to a child, nor a file whose classes only this process knows: these are tried here, with careful values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tfexport.backends import Backend, get_backend
from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import Framework
from tfexport.declarations.probing import Run, Shaped
from tfexport.errors import InputsError, ProcessError, ProcessNotStartedError, TfExportError, TracingError
from tfexport.processes.worker import Limits, Worker

LIMITS = Limits(memory_mib=4096, seconds=120.0)
MOST_DEATHS = 8
"""Deaths of the child after which a model is given up."""
_OUT_OF_MEMORY = ("ResourceExhaustedError", "MemoryError", "allocate memory")
"""Signs in the text of an error of TensorFlow, NumPy or PyTorch."""


@dataclass(frozen=True)
class Trials:
    """How a model is tried.

    Attributes:
        run: Runs the model once.
        careful: Whether a bad value would end this process, so that only careful ones are tried.
    """

    run: Run
    careful: bool


@contextmanager
def trials_of(checkpoint: Checkpoint, framework: Framework) -> Iterator[Callable[[Any], Trials]]:
    """Start the child process for a model from disk, so that it loads beside this process, and end it after the block.

    Args:
        checkpoint: The model, not loaded.
        framework: The framework that runs it.

    Yields:
        A function from the model, loaded in this process, to its trials.
    """
    if not checkpoint.kind.is_on_disk:
        yield partial(_in_this_process, framework)
        return
    try:
        child = _Child(checkpoint, framework)
    except ProcessNotStartedError:  # all children would fail: the model is tried carefully here
        yield partial(_in_this_process, framework)
        return
    try:
        yield partial(_in_child, child, framework)
    finally:
        child.close()


def _in_this_process(framework: Framework, model: Any) -> Trials:
    return Trials(partial(get_backend(framework).call, model), careful=True)


def _in_child(child: _Child, framework: Framework, model: Any) -> Trials:
    try:
        child.wait()
    except TfExportError:
        # The model loaded here. Perhaps only this process knows the classes that the user's code has registered, or the memory
        # cannot hold the model twice.
        return _in_this_process(framework, model)
    return Trials(child.run, careful=False)


class _Child:
    """A child process that runs a model, started again where a trial ends it."""

    def __init__(self, checkpoint: Checkpoint, framework: Framework) -> None:
        self._source = checkpoint.source
        self._start = partial(Worker, partial(_opened, checkpoint, framework), LIMITS)
        self._worker = self._start()
        self._deaths = 0

    def wait(self) -> None:
        self._worker.wait()

    def close(self) -> None:
        self._worker.close()

    def run(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, Shaped]:
        if not self._worker.alive:
            self._worker = self._start()
        try:
            shapes: Mapping[str, tuple[int, ...]] = self._worker(arrays)
        except ProcessError as error:
            self._deaths += not self._worker.alive
            if self._deaths > MOST_DEATHS:
                raise InputsError(
                    f"{self._source} ended the process in which it was tried {self._deaths} times (limits of a run: "
                    f"{LIMITS.seconds:g} s, {LIMITS.memory_mib} MiB), at last with inputs {_shapes_text(arrays)}: {error}. "
                    "Pass shapes that it accepts by --input-shape NAME=FIRST,SECOND,... (input_shapes=...)."
                ) from error
            raise
        return {name: Shaped(shape) for name, shape in shapes.items()}


def _shapes_text(arrays: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())


def _opened(checkpoint: Checkpoint, framework: Framework) -> Callable[..., dict[str, tuple[int, ...]]]:
    """Load a model in the child process and return the function that runs it."""
    backend = get_backend(framework)
    return partial(_output_shapes, backend, backend.load_signature_model(checkpoint).model)


def _output_shapes(backend: Backend, model: Any, arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Run a model.

    Raises:
        TracingError: The model does not take these inputs.
        ProcessError: The model needs more memory for them than it may take.
    """
    try:
        return {name: tuple(output.shape) for name, output in backend.call(model, arrays).items()}
    except TracingError as error:
        if any(sign in str(error) for sign in _OUT_OF_MEMORY):
            raise ProcessError(f"it needs more than {LIMITS.memory_mib} MiB of memory: {error}") from error
        raise
