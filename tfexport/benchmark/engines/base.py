"""The interface of an engine. A new engine is one file in this folder; users name one of their own ``module:Class``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from tfexport.benchmark.run_spec import Arrays, RunSpec


class Engine(ABC):
    """A way to run a model. It is created and used in a process of its own, and imports its framework in `load`.

    At the host boundary, the time of a call is the time of ``fetch(run(feed(inputs)))``. At the device boundary it is the
    time of ``run`` and ``synchronise`` on inputs that were fed before. Several threads may call at the same time.

    Attributes:
        name: Name by which the user asks for it.
        description: Description for reports.
        writes: Whether it writes text; otherwise it runs a model once per call.
        needs_checkpoint: Whether it loads a checkpoint; otherwise it loads ONNX files.
        framework: Framework of the checkpoint that it loads, ``"tf"`` or ``"pt"``.
        packages: Distributions, one of which must be installed.
        modules: Modules that are imported first, and timed separately.
        providers: Execution providers on which it can compute; None for those of the installed ONNX Runtime.
        precisions: Precisions in which it can compute.
        boundaries: Boundaries at which it can be timed.
        converts_files: Whether its files are converted to float16 for it; otherwise it sets the precision itself.
        extra: Package to install for it.
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
    def check(cls, spec: RunSpec) -> str | None:
        """Return why the engine cannot run a cell, before a process is started for it; None when it can."""
        return None

    @abstractmethod
    def load(self, spec: RunSpec) -> None:
        """Load the model, ready for its first call.

        Raises:
            BenchmarkError: It cannot run as asked, for a reason that the user can act on.
        """

    @abstractmethod
    def feed(self, inputs: Arrays) -> Any:
        """Return the inputs in the form that `run` accepts; at the device boundary, on the device."""

    @abstractmethod
    def run(self, fed: Any) -> Any:
        """Make one call. It may return before the outputs are computed."""

    def synchronise(self, outputs: Any) -> None:
        """Wait until the outputs of `run` are computed. By default `run` returns only then."""
        return

    @abstractmethod
    def fetch(self, outputs: Any) -> dict[str, np.ndarray]:
        """Return the outputs as NumPy arrays by name. An engine that writes text returns ``tokens`` (batch, tokens)."""

    def describe(self) -> Mapping[str, Any]:
        """Return facts about what was loaded: settings in force, placement of nodes, facts about the graph."""
        return {}
