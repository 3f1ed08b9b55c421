"""The choice of the framework that exports a checkpoint, with its reason.

The order of priority: the framework that the user names; that of the local checkpoint's weights; an installed one, PyTorch first.
`decide` is pure: it sees only the evidence that `tfexport.checkpoints.checkpoint` collected.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tfexport.errors import CheckpointNotFoundError, FrameworkNotInstalledError, UnknownFrameworkError
from tfexport.keywords import shown

Framework = Literal["pt", "tf"]

FRAMEWORKS: tuple[Framework, ...] = ("pt", "tf")
FRAMEWORK_NAMES: dict[Framework, str] = {"pt": "PyTorch", "tf": "TensorFlow"}
EXTRAS: dict[Framework, str] = {"pt": "tfexport[torch]", "tf": "tfexport[tensorflow]"}
"""Names to install, by framework."""
_PACKAGES: dict[Framework, str] = {"pt": "torch", "tf": "tensorflow"}


class Evidence(Protocol):
    """A sign that a checkpoint holds a framework's weights."""

    @property
    def framework(self) -> Framework:
        """The framework that wrote the weights."""

    @property
    def why(self) -> str:
        """The evidence, for the user: ``tf_model.h5``, ``model.safetensors (format tf)``."""


@dataclass(frozen=True)
class FrameworkChoice:
    """The framework that exports, with its reason.

    Attributes:
        framework: ``"pt"`` or ``"tf"``.
        reason: Sentence for the user and the manifest.
        weights: Framework whose weights are read. It differs from `framework` when they are converted on load, and is None
            when it is not known before loading (a hub id).
    """

    framework: Framework
    reason: str
    weights: Framework | None

    @property
    def converts_weights(self) -> bool:
        """Whether weights of the other framework are converted on load."""
        return self.weights is not None and self.weights != self.framework


def decide(
    requested: object | None,
    evidence: Sequence[Evidence] | None,
    installed: Collection[Framework],
    source: str,
    *,
    loads_in_both: str | None = None,
    expected: str = "weight files",
) -> FrameworkChoice:
    """Choose the framework.

    Args:
        requested: Framework that the user named; None without one.
        evidence: Weight files of a local checkpoint; None for a checkpoint that is not local.
        installed: Frameworks that are installed.
        source: Name of the checkpoint, for messages.
        loads_in_both: Reason for which each framework reads the weights without the other one; None where it does not.
        expected: Names of the weight files that the checkpoint may hold, for messages.

    Returns:
        The choice, with its reason.

    Raises:
        UnknownFrameworkError: `requested` is not a framework.
        CheckpointNotFoundError: A local checkpoint does not hold weights.
        FrameworkNotInstalledError: The choice, or a framework that must convert the weights, is not installed.
    """
    if evidence is not None and not evidence:
        raise CheckpointNotFoundError(f"{source} does not hold weights. Expected {expected}.")
    chosen, reason = _choose(requested, evidence, installed, source, loads_in_both)
    held = {item.framework for item in evidence or ()}
    weights = None if not held else chosen if chosen in held else next(iter(held))
    choice = FrameworkChoice(chosen, reason, weights)
    _check_installed(chosen, installed, reason)
    if choice.converts_weights and weights is not None and loads_in_both is None:
        _check_installed(weights, installed, f"{source} holds only {FRAMEWORK_NAMES[weights]} weights, to be converted")
    return choice


def _choose(
    requested: object | None,
    evidence: Sequence[Evidence] | None,
    installed: Collection[Framework],
    source: str,
    loads_in_both: str | None,
) -> tuple[Framework, str]:
    if requested is not None:
        chosen = check_framework(requested)
        name = FRAMEWORK_NAMES[chosen]
        if evidence and all(item.framework != chosen for item in evidence):
            if loads_in_both is not None:
                return chosen, f"{name}, as asked for: {loads_in_both}"
            other = FRAMEWORK_NAMES[evidence[0].framework]
            return chosen, (
                f"{name}, as asked for; the checkpoint holds only {other} weights ({evidence[0].why}), "
                "converted on load"
            )
        return chosen, f"{name}, as asked for"
    if evidence:
        return _choose_by_evidence(evidence, installed)
    for framework in FRAMEWORKS:
        if framework in installed:
            others = [FRAMEWORK_NAMES[other] for other in FRAMEWORKS if other in installed and other != framework]
            also = f", {others[0]} is too" if others else ""
            return framework, f"{FRAMEWORK_NAMES[framework]}, because {source} is not local and it is installed{also}"
    raise FrameworkNotInstalledError(
        "Neither PyTorch nor TensorFlow is installed. Install tfexport[torch] or tfexport[tensorflow]."
    )


def _choose_by_evidence(evidence: Sequence[Evidence], installed: Collection[Framework]) -> tuple[Framework, str]:
    found = {framework: [e.why for e in evidence if e.framework == framework] for framework in FRAMEWORKS}
    held = [framework for framework in FRAMEWORKS if found[framework]]
    chosen = next((framework for framework in held if framework in installed), held[0])
    reason = f"{FRAMEWORK_NAMES[chosen]}, because the checkpoint holds {', '.join(found[chosen])}"
    for other in held:
        if other != chosen:
            why = f"--framework {other} exports those" if other in installed else "which is not installed"
            reason += f"; {FRAMEWORK_NAMES[other]} weights are there too ({', '.join(found[other])}): {why}"
    return chosen, reason


def _check_installed(framework: Framework, installed: Collection[Framework], why: str) -> None:
    if framework not in installed:
        raise FrameworkNotInstalledError(
            f"{FRAMEWORK_NAMES[framework]} is needed ({why}) and is not installed. "
            f"Install {EXTRAS[framework]} (the package {_PACKAGES[framework]})."
        )


def check_framework(framework: object) -> Framework:
    """Return the framework that a user named, validated.

    Raises:
        UnknownFrameworkError: The name is not "pt" or "tf".
    """
    value = getattr(framework, "value", framework)  # transformers' TensorType and Python strings alike
    if isinstance(value, str) and value == "pt":
        return "pt"
    if isinstance(value, str) and value == "tf":
        return "tf"
    raise UnknownFrameworkError(f"{shown(framework)} is not a framework. Expected 'pt' (PyTorch) or 'tf' (TensorFlow).")
