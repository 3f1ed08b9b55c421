"""The doctor: known breaks of versions, and when an installation is healthy. (`test_cli` runs it here.)"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import support
from tfexport.doctor.report import KNOWN_BREAKS, Finding, Findings, Status, _probe, known_breaks
from tfexport.pipeline.manifest import installed_versions

GOOD = {
    "transformers": "4.57.6",
    "tensorflow": "2.21.0",
    "tf-keras": "2.21.0",
    "tf2onnx": "1.17.0",
    "torch": "2.13.0+cpu",
    "onnx": "1.23.2",
    "numpy": "2.4.6",
    "onnxruntime": "1.32.0",
}


KNOWN_CASES = pytest.mark.parametrize(
    ("package", "version", "message"),
    [
        ("transformers", "5.0.0", "has no TensorFlow classes"),
        ("transformers", "5.1.0.dev0", "has no TensorFlow classes"),
        ("transformers", "4.56.2", "is not tested"),
        ("tensorflow", "2.22.0", "was checked with 2.21"),
        ("tensorflow", "2.20.0", "install tensorflow 2.21"),
        ("tf2onnx", "1.16.1", "NumPy 1"),
        ("torch", "2.5.1", "CVE-2025-32434"),
        ("torch", "2.14.0", "TorchScript exporter"),
        ("onnx", "1.20.1", "external data"),
        ("numpy", "1.26.4", "numpy>=2"),
        ("tf-keras", "2.20.1", "beside tensorflow 2.21.0: they must agree"),
    ],
)


@KNOWN_CASES
def test_known_breaks(package: str, version: str, message: str) -> None:
    found = known_breaks({**GOOD, package: version})
    assert len([finding for finding in found if message in finding.detail and finding.status == "warning"]) == 1


def test_every_known_break_has_a_case_above() -> None:
    cases = {mark[0] for mark in KNOWN_CASES.args[1]}
    assert {entry.package for entry in KNOWN_BREAKS} <= cases


def test_versions_that_are_fine() -> None:
    assert known_breaks(GOOD) == []
    assert known_breaks({}) == []
    assert known_breaks(installed_versions()) == []  # what this project is tested with


def test_two_wheels_of_onnx_runtime_overwrite_each_other() -> None:
    (found,) = known_breaks({**GOOD, "onnxruntime-gpu": "1.32.0"})
    assert found.status == "broken"
    assert "uninstall both, install one" in found.detail


def _findings(**status: Status) -> Findings:
    names = {"pt": "PyTorch", "tf": "TensorFlow", "ort": "ONNX Runtime"}
    return Findings({}, tuple(Finding(names.get(k, k), v, "") for k, v in status.items()))


@pytest.mark.parametrize(
    ("status", "healthy"),
    [
        ({"pt": "ok", "tf": "ok", "ort": "ok"}, True),
        ({"pt": "ok", "tf": "absent", "ort": "ok"}, True),
        ({"pt": "absent", "tf": "ok", "ort": "ok"}, True),
        ({"pt": "ok", "tf": "ok", "ort": "ok", "numpy 1": "warning"}, True),
        ({"pt": "absent", "tf": "absent", "ort": "ok"}, False),
        ({"pt": "ok", "tf": "broken", "ort": "ok"}, False),
        ({"pt": "ok", "tf": "ok", "ort": "absent"}, False),
        ({"pt": "ok", "tf": "ok", "ort": "broken"}, False),
        ({"pt": "ok", "tf": "ok", "ort": "ok", "onnxruntime": "broken"}, False),
    ],
)
def test_healthy(status: dict[str, Status], healthy: bool) -> None:
    findings = _findings(**status)
    assert findings.healthy == healthy == findings.as_dict()["healthy"]
    assert [row[0] for row in findings.rows()] == ["Python", *(finding.subject for finding in findings.findings)]


def test_a_probe_that_fails_says_why() -> None:
    assert "No module named" in str(_probe("tfexport.no_such_probe").problem)


def test_a_patch_for_other_versions_is_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The probe says so itself, whether or not the backend works: here a stand-in that does not."""
    (tmp_path / "planted_probe.py").write_text(
        """
from types import ModuleType
from tfexport.backends.versions import Versions
from tfexport.doctor.probes.probe import probe
patch = ModuleType("patches.planted")
patch.VERSIONS = Versions("transformers", ">=999")
probe(None, lambda config: 1 / 0, [patch])
"""
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = _probe("planted_probe")
    assert found.not_applied == (f"planted is for transformers>=999, and {version('transformers')} is installed",)
    assert "ZeroDivisionError" in str(found.problem)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_framework_that_is_absent_or_broken_is_reported(framework: str) -> None:
    """Of a process in which the other one cannot be imported either, so that nothing slow runs."""
    code = """
import json, sys
for name in ("torch", "tensorflow"):
    sys.modules[name] = None
from tfexport.cli import app
app(["doctor", "--json"])
"""
    ran = support.python(code)
    findings = {entry["subject"]: entry for entry in json.loads(ran.out)["findings"]}
    name = {"torch": "PyTorch", "tensorflow": "TensorFlow"}[framework]
    assert ran.code == 1
    assert findings[name]["status"] == "absent"
    assert f"{framework} not installed: pip install 'tfexport[{framework}]'" in findings[name]["detail"]
