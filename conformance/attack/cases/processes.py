"""Processes: kills, two exports at once, threads, twenty exports in one process, the state that is left, equal bytes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from conformance.attack.case import ROOT, Area, Case
from conformance.attack.commands import Command, Limits, script
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox, snapshot

AREA = Area("processes")
_NEEDS_ROOT = frozenset({ROOT})
_LONG = Limits(seconds=500, memory_mib=6000)
_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "PyTorch": ("bert-pt", {"framework": "pt"}),
    "TensorFlow": ("bert-tf", {}),
    "Keras": ("dense-keras3.keras", {}),
    "SavedModel": ("saved-model", {"trust": True}),
}
_VOLATILE = ("created", "stages")
"""Parts of a manifest that differ between two exports: the time, and what was measured."""


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for seed in (1, 2):
        yield AREA.case(f"thirty kills, {seed}", _kills(seed), expect=Expectation.SCRIPT)
    yield AREA.case(
        "thirty kills, the target is a mount point",
        _mounted_kills,
        expect=Expectation.SCRIPT,
        clean=_unmount,
        requires=_NEEDS_ROOT,
        has_target=False,
    )
    yield AREA.case("two exports at once, ten rounds", _two, expect=Expectation.SCRIPT)
    yield AREA.case(
        "two exports at once in two containers",
        _containers,
        expect=Expectation.SCRIPT,
        requires=_NEEDS_ROOT,
        has_target=False,
        quick=True,
    )
    for kind, (seed_name, options) in _KINDS.items():
        yield AREA.case(f"twenty exports in one process, {kind}", _many(seed_name, options), expect=Expectation.SCRIPT)
        yield AREA.case(
            f"two exports in threads, {kind}",
            _threads([(seed_name, options)] * 2),
            expect=Expectation.SCRIPT,
            has_target=False,
        )
        yield AREA.case(
            f"the same bytes in two processes, {kind}",
            _again(seed_name, options),
            expect=Expectation.SUCCEEDS,
            check=_equal,
            has_target=False,
        )
    for name, jobs in (
        ("PyTorch and TensorFlow", [_KINDS["PyTorch"], _KINDS["TensorFlow"]]),
        ("TensorFlow and Keras", [_KINDS["TensorFlow"], _KINDS["Keras"]]),
        ("PyTorch and Keras", [_KINDS["PyTorch"], _KINDS["Keras"]]),
    ):
        yield AREA.case(f"two exports in threads, {name}", _threads(jobs), expect=Expectation.SCRIPT, has_target=False)
    for name, seed_name, options in (
        ("PyTorch, opset 21", "bert-pt", {"framework": "pt", "opset": 21}),
        ("PyTorch weights in TensorFlow", "bert-pt", {"framework": "tf"}),
        ("TensorFlow weights in PyTorch", "bert-tf", {"framework": "pt"}),
        ("an encoder-decoder", "family-t5", {}),
    ):
        yield AREA.case(
            f"the same bytes in two processes, {name}",
            _again(seed_name, options),
            expect=Expectation.SUCCEEDS,
            check=_equal,
            has_target=False,
        )
    for how in ("success", "failure"):
        yield AREA.case(f"the state of the process after {how}", _state(how), expect=Expectation.SCRIPT)
    for name, arguments in _ENDED.items():
        yield AREA.case(
            f"{name} is ended while it computes", _ended(arguments), expect=Expectation.SCRIPT, has_target=False
        )


def _kills(seed: int) -> Callable[[Sandbox], Command]:
    return lambda sandbox: script("kills", sandbox.copy("bert-pt"), sandbox.out, seed, limits=_LONG)


def _mounted_kills(sandbox: Sandbox) -> Command:
    sandbox.out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", sandbox.out], check=True)
    return script("kills", sandbox.copy("bert-pt"), sandbox.out, 3, "mounted", limits=_LONG)


def _unmount(sandbox: Sandbox) -> None:
    while os.path.ismount(sandbox.out):
        subprocess.run(["umount", "-l", sandbox.out], check=True)


def _two(sandbox: Sandbox) -> Command:
    return script("two_exports", sandbox.copy("bert-pt"), sandbox.out, limits=_LONG)


def _containers(sandbox: Sandbox) -> Command:
    """Stage in a container while another one, which does not see the first one's processes, stages beside it."""
    stage = "$PYTHON -m conformance.attack.scripts.stage_for_a_while"
    out, first, second = sandbox.out, sandbox.folder / "first", sandbox.folder / "second"
    container = "unshare --pid --fork bash -c '/bin/true; /bin/true;"
    return Command(
        shell=f"{container} {stage} {out} {first} 15; true' & "
        f"for i in $(seq 300); do test -e {first} && break; sleep 0.1; done; "
        f"unshare --pid --fork {stage} {out} {second} 0 > /dev/null; wait",
        limits=Limits(seconds=90),
    )


def _many(seed: str, options: dict[str, Any]) -> Callable[[Sandbox], Command]:
    return lambda sandbox: script("many_exports", sandbox.seeds / seed, sandbox.out, json.dumps(options), limits=_LONG)


def _threads(jobs: list[tuple[str, dict[str, Any]]]) -> Callable[[Sandbox], Command]:
    return lambda sandbox: script("threads", sandbox.seeds, sandbox.out, json.dumps(jobs), limits=_LONG)


def _state(how: str) -> Callable[[Sandbox], Command]:
    return lambda sandbox: script("state_after", sandbox.seeds, sandbox.out, how, limits=_LONG)


_ENDED = {
    "validate": ("validate", "@export-bert-pt"),
    "parity": ("parity", "@bert-pt"),
    "benchmark": ("benchmark", "run", "@export-foreign", "--engines", "ort", "--time-limit", "60"),
    "an export of a Keras file": ("export", "-m", "@dense-keras3.keras", "out"),
}


def _ended(arguments: tuple[str, ...]) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        named = [str(sandbox.seeds / each[1:]) if each.startswith("@") else each for each in arguments]
        return script("ended_command", *(str(sandbox.out) if each == "out" else each for each in named), limits=_LONG)

    return prepare


def _again(seed: str, options: dict[str, Any]) -> Callable[[Sandbox], Command]:
    """Return two exports in two new processes, whose hashes of texts differ."""

    def prepare(sandbox: Sandbox) -> Command:
        given = " ".join(f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items())
        model = sandbox.seeds / seed
        exports = (
            f"PYTHONHASHSEED={number} $TFEXPORT export -m {model} {given} {sandbox.folder / f'export{number}'}"
            for number in (0, 1)
        )
        return Command(shell=" && ".join(exports), limits=Limits(seconds=200))

    return prepare


def _equal(sandbox: Sandbox) -> list[str]:
    first, second = (snapshot(sandbox.folder / f"export{number}") for number in (0, 1))
    found = [
        f"{name} differs"
        for name in sorted({*first, *second} - {"tfexport.json"})
        if first.get(name) != second.get(name)
    ]
    manifests = [json.loads((sandbox.folder / f"export{number}" / "tfexport.json").read_text()) for number in (0, 1)]
    keys = sorted({*manifests[0], *manifests[1]} - set(_VOLATILE))
    return found + [f"the manifests differ in {key}" for key in keys if manifests[0].get(key) != manifests[1].get(key)]
