"""The installed packages, the backends that work here, and the defects that are known of these versions."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from packaging.specifiers import SpecifierSet

from tfexport.backends import missing_packages
from tfexport.checkpoints.framework import EXTRAS, FRAMEWORK_NAMES, FRAMEWORKS, Framework
from tfexport.doctor.probes import NOT_APPLIED
from tfexport.errors import TRANSFORMERS_EXTRA
from tfexport.pipeline.manifest import installed_versions

Status = Literal["ok", "absent", "broken", "warning"]

PROBE_SECONDS = 120


@dataclass(frozen=True)
class KnownBreak:
    """Versions of a package that are known to break something.

    Attributes:
        package: Name of the distribution.
        versions: Versions that break, as pip writes them.
        what: Sentence on the defect, and on the version to install.
    """

    package: str
    versions: str
    what: str


KNOWN_BREAKS = (
    KnownBreak("transformers", ">=5", "has no TensorFlow classes: install transformers>=4.57.6,<5"),
    KnownBreak("transformers", "<4.57", "is not tested: install transformers>=4.57.6,<5"),
    KnownBreak("tensorflow", ">=2.22", "is not tested: tf2onnx 1.17 was checked with 2.21"),
    KnownBreak("tensorflow", "<2.21", "is not tested: install tensorflow 2.21"),
    KnownBreak("tf2onnx", "<1.17", "needs protobuf 3 and NumPy 1: install tf2onnx 1.17"),
    KnownBreak("torch", "<2.6", "loads pickles unsafely (CVE-2025-32434), and transformers refuses them"),
    KnownBreak("torch", ">=2.14", "is not tested: its TorchScript exporter is deprecated and may be gone"),
    KnownBreak("onnx", "<1.21", "follows external data out of the model's folder (CVE-2024-27318 and similar ones)"),
    KnownBreak("numpy", "<2", "is not tested: install numpy>=2"),
)

_EXPECTED_WITH = {"tensorflow": "tf-keras"}
"""Packages whose minor versions must agree."""

_PROBES: dict[Framework, str] = {
    "tf": "tfexport.doctor.probes.tensorflow",
    "pt": "tfexport.doctor.probes.pytorch",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: Name of the package or backend.
        status: Status: ok, absent, broken or warning.
        detail: Sentence for the user.
    """

    subject: str
    status: Status
    detail: str


@dataclass(frozen=True)
class Findings:
    """The report.

    Attributes:
        versions: Installed versions, by distribution.
        findings: Lines of the report.
    """

    versions: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether at least one backend works, ONNX Runtime works, and nothing installed is broken."""
        works = {finding.subject for finding in self.findings if finding.status == "ok"}
        broken = any(finding.status == "broken" for finding in self.findings)
        return not broken and "ONNX Runtime" in works and any(FRAMEWORK_NAMES[f] in works for f in FRAMEWORKS)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {
            "healthy": self.healthy,
            "python": platform.python_version(),
            "versions": dict(self.versions),
            "findings": [vars(finding) for finding in self.findings],
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the rows of a table: name, status and detail."""
        python = ("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
        return [python, *((finding.subject, finding.status, finding.detail) for finding in self.findings)]


def examine() -> Findings:
    """Examine the installation. Each backend is tried in a process of its own."""
    versions = installed_versions()
    findings = [finding for framework in FRAMEWORKS for finding in _backend(framework, versions)]
    findings.append(_onnxruntime(versions))
    findings += _transformers(versions)
    findings += known_breaks(versions)
    return Findings(versions, tuple(findings))


def known_breaks(versions: Mapping[str, str]) -> list[Finding]:
    """Return the known breaks among installed versions.

    Args:
        versions: Installed versions, by distribution.
    """
    found = [
        Finding(f"{entry.package} {versions[entry.package]}", "warning", entry.what)
        for entry in KNOWN_BREAKS
        if entry.package in versions
        and SpecifierSet(entry.versions, prereleases=True).contains(versions[entry.package])
    ]
    for package, partner in _EXPECTED_WITH.items():
        if package in versions and partner in versions and _minor(versions[package]) != _minor(versions[partner]):
            found.append(
                Finding(
                    partner, "warning", f"{versions[partner]} beside {package} {versions[package]}: they must agree"
                )
            )
    if "onnxruntime" in versions and "onnxruntime-gpu" in versions:
        found.append(
            Finding(
                "onnxruntime", "broken", "and onnxruntime-gpu overwrite each other's files: uninstall both, install one"
            )
        )
    return found


def _backend(framework: Framework, versions: Mapping[str, str]) -> list[Finding]:
    name = FRAMEWORK_NAMES[framework]
    missing = missing_packages(framework)
    if missing:
        return [Finding(name, "absent", f"{', '.join(missing)} not installed: pip install '{EXTRAS[framework]}'")]
    packages = ("torch", "onnxscript") if framework == "pt" else ("tensorflow", "tf-keras", "tf2onnx")
    shown = ", ".join(f"{package} {versions[package]}" for package in packages if package in versions)
    found = _probe(_PROBES[framework])
    works = Finding(name, "ok", f"exports ({shown})")
    own = Finding(name, "broken", f"{shown}: {found.problem}") if found.problem else works
    return [own, *(Finding(f"{name} patch", "warning", sentence) for sentence in found.not_applied)]


@dataclass(frozen=True)
class _Probed:
    """Result of a backend's probe.

    Attributes:
        problem: Reason for which the backend does not work; None where it works.
        not_applied: Sentences about patches and op handlers that are for other versions than the installed ones.
    """

    problem: str | None
    not_applied: tuple[str, ...] = ()


def _probe(module: str) -> _Probed:
    """Run a backend's probe in a child process."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", module], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return _Probed(f"its process did not answer within {PROBE_SECONDS} s")
    lines = [line for line in done.stdout.splitlines() if line.startswith(NOT_APPLIED)]
    return _Probed(_problem(done), tuple(line.removeprefix(NOT_APPLIED) for line in lines))


def _problem(done: subprocess.CompletedProcess[str]) -> str | None:
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"the process was killed by signal {-done.returncode}"
    return (done.stderr.strip().splitlines() or ["no message"])[-1]


def _onnxruntime(versions: Mapping[str, str]) -> Finding:
    shown = versions.get("onnxruntime") or versions.get("onnxruntime-gpu")
    if shown is None:
        return Finding("ONNX Runtime", "absent", "pip install 'tfexport[cpu]' or 'tfexport[gpu]'")
    code = "import json, onnxruntime; print(json.dumps(onnxruntime.get_available_providers()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
    )
    if done.returncode != 0:
        return Finding("ONNX Runtime", "broken", (done.stderr.strip().splitlines() or ["no message"])[-1])
    providers = json.loads(done.stdout.strip().splitlines()[-1])
    return Finding("ONNX Runtime", "ok", f"{shown}, execution providers: {', '.join(providers)}")


def _transformers(versions: Mapping[str, str]) -> list[Finding]:
    if "transformers" in versions:
        return []
    return [Finding("transformers", "absent", f"its checkpoints need it: pip install '{TRANSFORMERS_EXTRA}'")]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
