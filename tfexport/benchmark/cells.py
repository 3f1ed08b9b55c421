"""What is measured: one engine, on one input, at one setting. Cells of one group are compared with each other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tfexport.errors import InputsError

Boundary = Literal["host", "device"]
"""What the time of a call holds. host: from NumPy arrays to NumPy arrays, copies included. device: the inputs are where the
engine computes, and the outputs stay there; a call ends when they are done."""

BOUNDARIES: tuple[Boundary, ...] = ("host", "device")
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
"""fp32 computes in float32 everywhere; tf32 lets CUDA multiply in TensorFloat-32; bf16 and fp16 compute in those."""


@dataclass(frozen=True)
class Setting:
    """What all cells of a group share.

    Attributes:
        target: name of what is measured.
        batch: samples a call.
        sequence: tokens a row; None for a model without such an axis.
        tokens: that are written a call; 0 for a model that does not write text.
        threads: that the engine may use.
        streams: calls that are under way at a time.
        boundary: what the time of a call holds.
        precision: in which the engine computes.
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
        """For people: ``minilm, 8x128, 2 threads, host``."""
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
        """Names the inputs: settings of the same inputs share them."""
        return f"{self.batch}x{self.sequence or 0}x{self.tokens}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Cell:
    """One engine at one setting.

    Attributes:
        engine: its name.
        provider: where it computes, as the user calls it: ``cpu``, ``cuda``.
        setting: of its group.
    """

    engine: str
    provider: str
    setting: Setting

    @property
    def name(self) -> str:
        """For people, within a group."""
        return self.engine if self.provider == "cpu" else f"{self.engine} on {self.provider}"

    @property
    def key(self) -> str:
        """The same in every results file for the same measurement."""
        return f"{self.setting.name}, {self.name}"


@dataclass(frozen=True)
class Axes:
    """What is combined, each with each.

    Attributes:
        engines: names.
        providers: where engines compute.
        batches: samples a call.
        sequences: tokens a row.
        threads: that an engine may use.
        boundaries: what the time of a call holds.
        streams: calls under way at a time.
        precisions: in which engines compute.
        tokens: that a model which writes text writes: 1 for the time to the first one.
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
                raise InputsError(f"no {name} are given; expected one at least.")
            if len(set(values)) < len(values):
                raise InputsError(f"{name} has a value twice: {', '.join(map(str, values))}.")
            if isinstance(values[0], int):
                _check_positive(name, values)
        _check_known("boundary", self.boundaries, BOUNDARIES)
        _check_known("precision", self.precisions, PRECISIONS)

    def settings(self, target: str, *, has_sequence: bool, writes: bool, longest: int | None) -> list[Setting]:
        """The settings of one target.

        Args:
            target: its name.
            has_sequence: whether it has an axis of tokens.
            writes: whether it writes text.
            longest: the longest row that it takes, what it writes included; None for any.
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
        """The cells of a group."""
        return [Cell(engine, provider, setting) for provider in self.providers for engine in self.engines]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def setting_from(values: Mapping[str, Any]) -> Setting:
    """A setting from its JSON."""
    return Setting(**values)


def _check_positive(name: str, values: Sequence[int]) -> None:
    wrong = [value for value in values if value < 1]
    if wrong:
        raise InputsError(f"{name} has {wrong[0]}; expected whole numbers from 1 on.")


def _check_known(name: str, values: Sequence[str], known: Sequence[str]) -> None:
    unknown = [value for value in values if value not in known]
    if unknown:
        raise InputsError(f"{unknown[0]!r} is no {name}; there are {', '.join(known)}.")
