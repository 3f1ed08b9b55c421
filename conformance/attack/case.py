"""Cases: a prepared sandbox, a command, an expectation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from conformance.attack.commands import Command, Limits, tfexport
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

Prepare = Callable[[Sandbox], Command]
ROOT = "root"
"""A requirement: mounts, namespaces, and files of other users."""
SHARED_PYTHON = "a Python that other users may run"
"""A requirement: children of another user start the same interpreter."""


@dataclass(frozen=True)
class Case:
    """One attack.

    Attributes:
        area: Area: the module of `conformance.attack.cases`.
        name: Description, unique in the area.
        prepare: Function that prepares the sandbox and returns the command.
        expect: Expectation.
        says: Words that the command must print.
        check: Further check after the command: it returns what does not hold.
        clean: What undoes the preparation where removing the sandbox does not, such as a mount.
        has_target: Whether an earlier export is put in place of the target, unless the preparation makes one.
        quick: Whether the case belongs to the quick part.
        requires: Requirements of the machine: `ROOT`, `SHARED_PYTHON`.
    """

    area: str
    name: str
    prepare: Prepare
    expect: Expectation = Expectation.REFUSED
    says: tuple[str, ...] = ()
    check: Callable[[Sandbox], list[str]] | None = None
    clean: Callable[[Sandbox], None] | None = None
    has_target: bool = True
    quick: bool = False
    requires: frozenset[str] = field(default_factory=frozenset)

    def __str__(self) -> str:
        return f"{self.area}: {self.name}"


@dataclass(frozen=True)
class Area:
    """Makes the cases of an area.

    Attributes:
        name: Name of the area.
        seed: Seed that `change` copies.
        options: Further options of ``tfexport export``.
    """

    name: str
    seed: str = "bert-pt"
    options: tuple[str, ...] = ()

    def case(self, name: str, prepare: Prepare, **more: Any) -> Case:
        """Return a case of this area."""
        return Case(self.name, name, prepare, **more)

    def change(
        self,
        name: str,
        change: Callable[..., object],
        *,
        seed: str | None = None,
        options: tuple[str, ...] = (),
        limits: Limits = Limits(),  # noqa: B008  frozen
        **more: Any,
    ) -> Case:
        """Return a case that copies a seed, changes the copy, and exports it.

        Args:
            name: Description.
            change: Function of the copy's path and the sandbox, which makes the copy hostile.
            seed: The seed; by default that of the area.
            options: Further options of ``tfexport export``.
            limits: Limits of the command.
            more: Further fields of `Case`.
        """

        def prepare(sandbox: Sandbox) -> Command:
            model = sandbox.copy(seed or self.seed)
            change(model, sandbox)
            return tfexport("export", "-m", model, *self.options, *options, sandbox.out, limits=limits)

        return Case(self.name, name, prepare, **more)
