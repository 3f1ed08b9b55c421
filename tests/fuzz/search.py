"""Searches for inputs that a target fails on, and keeps them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Verbosity, given, seed, settings

from conformance.attack.runner import Zygote
from tests.fuzz.targets import CORPUS, Target

_CHECKS = tuple(HealthCheck)
"""Large and slow inputs are wanted."""


class FoundError(AssertionError):
    """A target failed on an input.

    Attributes:
        content: The input, made as small as hypothesis could make it.
    """

    def __init__(self, target: Target, problem: str, content: bytes) -> None:
        super().__init__(f"{target.name} fails on {content[:300]!r}: {problem}")
        self.content = content


class _OutOfTimeError(BaseException):
    """The budget is spent. Hypothesis takes an `Exception` for a failure of the test, and lets others through."""


@dataclass(frozen=True)
class Budget:
    """How long a search lasts.

    Attributes:
        examples: Number of inputs.
        seconds: Seconds after which it ends, between two inputs.
    """

    examples: int
    seconds: float


def search(target: Target, folder: Path, zygote: Zygote, budget: Budget, number: int | None = None) -> int:
    """Read inputs until the budget is spent, and return how many.

    Args:
        target: The target.
        folder: Folder for the inputs.
        zygote: Process that reads what native code parses.
        budget: How long the search lasts.
        number: Seed of the inputs; None for the same inputs each time.

    Raises:
        FoundError: The target fails on an input.
    """
    end = time.monotonic() + budget.seconds
    count = 0

    @settings(
        max_examples=budget.examples,
        deadline=None,
        database=None,
        derandomize=number is None,
        suppress_health_check=_CHECKS,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
    )
    @given(target.contents())
    def run(content: bytes) -> None:
        nonlocal count
        if time.monotonic() > end:
            raise _OutOfTimeError
        count += 1
        check(target, content, folder, zygote)

    try:
        made: Callable[[], None] = run if number is None else seed(number)(run)
        made()
    except _OutOfTimeError:
        pass
    return count


def check(target: Target, content: bytes, folder: Path, zygote: Zygote) -> None:
    """Read one input.

    Raises:
        FoundError: The target fails on it.
    """
    try:
        problems = target.problems(content, folder, zygote)
    except Exception as error:
        raise FoundError(target, f"{type(error).__name__}: {error}", content) from error
    if problems:
        raise FoundError(target, "; ".join(problems), content)


def keep(target: Target, content: bytes) -> Path:
    """Add an input to the corpus, and return its file."""
    folder = CORPUS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / hashlib.sha256(content).hexdigest()[:12]
    file.write_bytes(content)
    return file
