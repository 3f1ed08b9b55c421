"""Environment variables of this process: set for a while, and restored. No other module of tfexport writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MappingProxyType

from tfexport.processes.locks import PROCESS_LOCK

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_QUIET = {"HF_HUB_OFFLINE": "1", _LEVEL: "3", "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false"}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@contextmanager
def environment(variables: Mapping[str, str], *, exclusive: bool = True) -> Iterator[None]:
    """Set environment variables for the duration of a block, and restore them.

    Args:
        variables: values by name.
        exclusive: whether the block holds the lock of the process.
    """
    with PROCESS_LOCK if exclusive else nullcontext():
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def child_environment(
    threads: int | None = None, more: Mapping[str, str] = MappingProxyType({})
) -> AbstractContextManager[None]:
    """Set the variables that a child process inherits when it starts in a block: no noise, no network, numbers of threads.

    Args:
        threads: number of threads that the child may use; None leaves it to each library.
        more: further variables.
    """
    return environment({**_QUIET, **({} if threads is None else dict.fromkeys(_THREADS, str(threads))), **more})


def quiet_environment(*, exclusive: bool = True) -> AbstractContextManager[None]:
    """Keep TensorFlow's native code from logging in a block, unless the user has chosen its level.

    Args:
        exclusive: whether the block holds the lock of the process.
    """
    return environment({_LEVEL: os.environ.get(_LEVEL, "3")}, exclusive=exclusive)


def command_environment() -> AbstractContextManager[None]:
    """Set the variables of a process that is a command of tfexport, for a block.

    Keras chooses its framework when it is first imported: as this variable says, or a file in the user's home. A library may
    import it by the way, and the user's choice for other programs would decide. What is exported chooses for itself.
    """
    return environment({"KERAS_BACKEND": "tensorflow"}, exclusive=False)
