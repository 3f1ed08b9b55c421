"""Cells: one engine, on one input, at one setting. Cells of one group are compared with each other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tfexport.errors import InputsError

Boundary = Literal["host", "device"]
"""Boundary of the time of a call. host: from NumPy arrays to NumPy arrays, copies included. device: inputs and outputs stay on
the engine's device; a call ends when its outputs are computed."""

BOUNDARIES: tuple[Boundary, ...] = ("host", "device")
_OPTIONS = {"batches": "--batch-sizes", "sequences": "--sequence-lengths"}
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
"""fp32 computes in float32 everywhere. tf32 lets CUDA multiply in TensorFloat-32. bf16 and fp16 compute in those types."""


@dataclass(frozen=True)
class Setting:
    """The setting that all cells of a group share.

    Attributes:
        target: Name of the target.
        batch: Samples per call.
        sequence: Tokens per row; None for a model without an axis of tokens.
        tokens: Tokens that are written per call; 0 for a model that does not write text.
        threads: Threads that the engine may use.
        streams: Calls that run at the same time.
        boundary: Boundary of the time of a call.
        precision: Precision in which the engine computes.
    """

    target: str
    batch: int
    sequence: int | None
    tokens: int
    threads: int
    streams: int
    boundary: Boundary
    precision: str

    @property
    def name(self) -> str:
        """Name in reports: ``minilm, 8x128, 2 threads, host``."""
        shape = str(self.batch) if self.sequence is None else f"{self.batch}x{self.sequence}"
        parts = [self.target, shape]
        if self.tokens:
            parts.append(f"{self.tokens} token{'s' if self.tokens > 1 else ''}")
        parts.append(f"{self.threads} thread{'s' if self.threads > 1 else ''}")
        if self.streams > 1:
            parts.append(f"{self.streams} streams")
        if self.precision != "fp32":
            parts.append(self.precision)
        return ", ".join([*parts, self.boundary])

    @property
    def inputs(self) -> str:
        """Name of the inputs. Settings with the same inputs share it."""
        return f"{self.batch}x{self.sequence or 0}x{self.tokens}"

    def as_dict(self) -> dict[str, Any]:
        """Return the setting as values of JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Cell:
    """One engine at one setting.

    Attributes:
        engine: Name of the engine.
        provider: Execution provider, as users write it: ``cpu``, ``cuda``.
        setting: Setting of its group.
    """

    engine: str
    provider: str
    setting: Setting

    @property
    def name(self) -> str:
        """Name within its group, in reports."""
        return self.engine if self.provider == "cpu" else f"{self.engine} on {self.provider}"

    @property
    def key(self) -> str:
        """Key of the measurement, the same in every results file."""
        return f"{self.setting.name}, {self.name}"


@dataclass(frozen=True)
class Axes:
    """Values of each setting, which are combined in every way.

    Attributes:
        engines: Names of the engines.
        providers: Execution providers.
        batches: Samples per call.
        sequences: Tokens per row.
        threads: Threads that an engine may use.
        boundaries: Boundaries of the time of a call.
        streams: Calls that run at the same time.
        precisions: Precisions in which engines compute.
        tokens: Tokens that a text-generation model writes per call; 1 measures the time to the first token.
    """

    engines: tuple[str, ...]
    providers: tuple[str, ...] = ("cpu",)
    batches: tuple[int, ...] = (1, 8)
    sequences: tuple[int, ...] = (16, 128)
    threads: tuple[int, ...] = (1,)
    boundaries: tuple[Boundary, ...] = ("host",)
    streams: tuple[int, ...] = (1,)
    precisions: tuple[str, ...] = ("fp32",)
    tokens: tuple[int, ...] = (1, 32)

    def __post_init__(self) -> None:
        for name, values in asdict(self).items():
            if not values:
                raise InputsError(f"{name} is empty. Expected at least one value ({_option(name)}).")
            if len(set(values)) < len(values):
                raise InputsError(
                    f"{name} has a value twice: {', '.join(map(str, values))}. Expected each only once ({_option(name)})."
                )
            if isinstance(values[0], int):
                _check_positive(name, values)
        _check_known("boundary", self.boundaries, BOUNDARIES)
        _check_known("precision", self.precisions, PRECISIONS)

    def settings(self, target: str, *, has_sequence: bool, writes: bool, longest: int | None) -> list[Setting]:
        """Return the settings of one target.

        Args:
            target: Name of the target.
            has_sequence: Whether it has an axis of tokens.
            writes: Whether it writes text.
            longest: Length of the longest row that it accepts, written tokens included; None for any length.
        """
        written = self.tokens if writes else (0,)
        lengths: Sequence[int | None] = self.sequences if has_sequence else (None,)
        return [
            Setting(target, batch, length, tokens, threads, streams, boundary, precision)
            for batch, length, tokens, threads, streams, boundary, precision in itertools.product(
                self.batches, lengths, written, self.threads, self.streams, self.boundaries, self.precisions
            )
            if longest is None or length is None or length + tokens <= longest
        ]

    def cells(self, setting: Setting) -> list[Cell]:
        """Return the cells of a group."""
        return [Cell(engine, provider, setting) for provider in self.providers for engine in self.engines]

    def as_dict(self) -> dict[str, Any]:
        """Return the axes as values of JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def setting_from(values: Mapping[str, Any]) -> Setting:
    """Return a setting from its values in JSON."""
    return Setting(**values)


def _option(name: str) -> str:
    """Return the option of the command line that sets an axis."""
    return _OPTIONS.get(name, f"--{name}")


def _check_positive(name: str, values: Sequence[int]) -> None:
    wrong = [value for value in values if value < 1]
    if wrong:
        raise InputsError(f"{name} has {wrong[0]}. Expected whole numbers of at least 1 ({_option(name)}).")


def _check_known(name: str, values: Sequence[str], known: Sequence[str]) -> None:
    unknown = [value for value in values if value not in known]
    if unknown:
        raise InputsError(f"{unknown[0]!r} is not a known {name}. Expected one of {', '.join(known)}.")
