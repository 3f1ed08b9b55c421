"""What an engine is. Adding one is one file in this folder; one outside of it is named ``module:Class``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from tfexport.benchmark.work import Arrays, Work


class Engine(ABC):
    """A way to run a model. It is made, and lives, in a process of its own; it imports its framework in `load`.

    The time of a call is that of ``fetch(run(feed(inputs)))`` at the host boundary, and that of ``run`` and
    ``synchronise`` on inputs that were fed before at the device boundary. Several threads may call at a time.

    Attributes:
        name: as the user asks for it.
        description: for reports.
        writes: whether it writes text; else it runs a model once a call.
        needs_checkpoint: whether it loads a checkpoint; else ONNX files.
        framework: of the checkpoint that it loads, ``"tf"`` or ``"pt"``.
        packages: distributions, one of which must be installed.
        modules: what is imported first, timed apart.
        providers: that it can compute on; None for those that ONNX Runtime offers.
        precisions: that it can compute in.
        boundaries: that it can be timed at.
        converts_files: whether its files are made float16 for it; else it computes in a precision by itself.
        extra: what to install for it.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    writes: ClassVar[bool] = False
    needs_checkpoint: ClassVar[bool] = False
    framework: ClassVar[str | None] = None
    packages: ClassVar[tuple[str, ...]] = ()
    modules: ClassVar[tuple[str, ...]] = ()
    providers: ClassVar[tuple[str, ...] | None] = ("cpu",)
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    boundaries: ClassVar[tuple[str, ...]] = ("host", "device")
    converts_files: ClassVar[bool] = False
    extra: ClassVar[str] = ""

    @classmethod
    def check(cls, work: Work) -> str | None:
        """Why it cannot do some work, before a process is started for it; None when it can."""
        return None

    @abstractmethod
    def load(self, work: Work) -> None:
        """Load the model, ready for its first call.

        Raises:
            BenchmarkError: it cannot be run as asked, for a reason that the user can act on.
        """

    @abstractmethod
    def feed(self, inputs: Arrays) -> Any:
        """What `run` takes: at the device boundary, where the engine computes."""

    @abstractmethod
    def run(self, fed: Any) -> Any:
        """One call. It may return before the outputs are there."""

    def synchronise(self, outputs: Any) -> None:
        """Wait until what `run` returned is there. Nothing to do where `run` returns when it is."""
        return

    @abstractmethod
    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        """The outputs as NumPy arrays, by name: ``tokens`` of an engine that writes text."""

    def describe(self) -> Mapping[str, Any]:
        """What is worth knowing of what was loaded: settings in force, placement, graph facts."""
        return {}
