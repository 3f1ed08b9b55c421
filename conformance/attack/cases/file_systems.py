"""File systems: mount points, full and read-only disks, limits of the shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from conformance.attack.case import ROOT, Area, Case
from conformance.attack.commands import Command, Limits, tfexport
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox, incomplete

AREA = Area("file systems")
_NEEDS_ROOT = frozenset({ROOT})
_SOON = Limits(seconds=60)
_MOUNTED = ("disk", "out", "cwd", "tmp")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for kib in (16, 64, 128, 192, 256, 300):
        yield _on_disk(f"a disk of {kib} KiB", f"size={kib}k", quick=kib == 128)
    for inodes in (3, 4, 5, 6, 8):
        yield _on_disk(f"a disk of {inodes} inodes", f"size=50m,nr_inodes={inodes}")
    for name, prepare, expect in (
        ("a read-only disk with an earlier export", _read_only, Expectation.REFUSED),
        ("a read-only disk", _read_only_empty, Expectation.REFUSED),
    ):
        yield AREA.case(name, prepare, expect=expect, clean=_unmount, requires=_NEEDS_ROOT, has_target=False)
    yield AREA.case(
        "the target is a mount point",
        _mount_point,
        expect=Expectation.EXPORTED,
        clean=_unmount,
        requires=_NEEDS_ROOT,
        has_target=False,
        quick=True,
    )
    yield AREA.case(
        "the target is a mount point with an earlier export",
        _mounted_export,
        expect=Expectation.EXPORTED,
        clean=_unmount,
        requires=_NEEDS_ROOT,
        has_target=False,
        quick=True,
    )
    yield AREA.case(
        "the target is a mount point with a file of the user",
        _mounted_foreign,
        clean=_unmount,
        requires=_NEEDS_ROOT,
        has_target=False,
    )
    yield AREA.case(
        "the target is a mount point that is too small",
        _mounted_small,
        clean=_unmount,
        requires=_NEEDS_ROOT,
        has_target=False,
        quick=True,
    )
    for bytes_ in (1_000, 4_000, 100_000):
        yield AREA.case(
            f"no file may be larger than {bytes_} bytes", _largest("bert-pt", bytes_), quick=bytes_ == 100_000
        )
    for bytes_ in (2_000, 4_000):
        yield AREA.case(
            f"no file may be larger than {bytes_} bytes, a Keras file",
            _largest("dense-keras3.keras", bytes_),
            expect=Expectation.SAFE,
        )
    for files in (16, 24, 40):
        yield AREA.case(f"at most {files} files may be open", _few_files(files), expect=Expectation.SAFE)


def _mount(place: Path, options: str) -> Path:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
    return place


def _unmount(sandbox: Sandbox) -> None:
    for name in _MOUNTED:
        while os.path.ismount(sandbox.folder / name):
            subprocess.run(["umount", "-l", sandbox.folder / name], check=True)


def _on_disk(name: str, options: str, quick: bool = False) -> Case:
    def prepare(sandbox: Sandbox) -> Command:
        disk = _mount(sandbox.folder / "disk", options)
        sandbox.out.symlink_to(disk / "out")
        return tfexport("export", "-m", sandbox.copy("bert-pt"), disk / "out", limits=_SOON)

    def check(sandbox: Sandbox) -> list[str]:
        disk = sandbox.folder / "disk"
        left = [f"left {entry.name}" for entry in disk.iterdir() if entry.name != "out"]
        return left + (incomplete(disk / "out") if (disk / "out").exists() else [])

    return AREA.case(
        name,
        prepare,
        expect=Expectation.SAFE,
        check=check,
        clean=_unmount,
        requires=_NEEDS_ROOT,
        has_target=False,
        quick=quick,
    )


def _remounted(sandbox: Sandbox, fill: Callable[[Path], object]) -> Command:
    disk = _mount(sandbox.folder / "disk", "size=20m")
    fill(disk)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    return tfexport("export", "-m", sandbox.copy("bert-pt"), disk / "out", limits=_SOON)


def _read_only(sandbox: Sandbox) -> Command:
    return _remounted(sandbox, lambda disk: shutil.copytree(sandbox.seeds / "export-bert-pt", disk / "out"))


def _read_only_empty(sandbox: Sandbox) -> Command:
    return _remounted(sandbox, lambda disk: None)


def _mount_point(sandbox: Sandbox) -> Command:
    _mount(sandbox.out, "size=50m")
    return tfexport("export", "-m", sandbox.copy("bert-pt"), sandbox.out, limits=_SOON)


def _mounted_export(sandbox: Sandbox) -> Command:
    _mount(sandbox.out, "size=50m")
    shutil.copytree(sandbox.seeds / "export-dense-keras3", sandbox.out, dirs_exist_ok=True)
    return tfexport("export", "-m", sandbox.copy("bert-pt"), sandbox.out, limits=_SOON)


def _mounted_foreign(sandbox: Sandbox) -> Command:
    _mount(sandbox.out, "size=50m")
    (sandbox.out / "thesis.tex").write_text("of the user")
    return tfexport("export", "-m", sandbox.copy("bert-pt"), sandbox.out, limits=_SOON)


def _mounted_small(sandbox: Sandbox) -> Command:
    _mount(sandbox.out, "size=64k")
    return tfexport("export", "-m", sandbox.copy("bert-pt"), sandbox.out, limits=_SOON)


def _largest(seed: str, bytes_: int) -> Callable[[Sandbox], Command]:
    return lambda sandbox: tfexport("export", "-m", sandbox.copy(seed), sandbox.out, largest_file=bytes_, limits=_SOON)


def _few_files(number: int) -> Callable[[Sandbox], Command]:
    return lambda sandbox: tfexport(
        "export", "-m", sandbox.copy("bert-pt"), sandbox.out, most_files=number, limits=_SOON
    )
