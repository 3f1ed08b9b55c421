"""The folder of one case: its input, its target, its temporary folder, and what must not be touched."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CANARY = "CANARY"
"""Beginning of the names of files that hostile code writes."""
SECRET = "the-secret-of-another-file-4711"
"""Content of files of the user's that no input may read."""
_EARLIER = b"the earlier export"


@dataclass(frozen=True)
class Sandbox:
    """The folder of one case.

    Attributes:
        folder: The folder.
        seeds: Folder of the sound models and exports (`conformance.attack.seeds`).
    """

    folder: Path
    seeds: Path

    @classmethod
    def make(cls, folder: Path, seeds: Path) -> Sandbox:
        """Make an empty sandbox in a folder, in place of an earlier one."""
        shutil.rmtree(folder, ignore_errors=True)
        made = cls(folder, seeds)
        for each in (made.input, made.tmp, made.cwd):
            each.mkdir(parents=True)
        made.tmp.chmod(0o777)
        return made

    @property
    def input(self) -> Path:
        """The folder of the hostile input."""
        return self.folder / "in"

    @property
    def out(self) -> Path:
        """The target of an export."""
        return self.folder / "out"

    @property
    def tmp(self) -> Path:
        """The folder for TMPDIR."""
        return self.folder / "tmp"

    @property
    def cwd(self) -> Path:
        """The working folder of the command."""
        return self.folder / "cwd"

    @property
    def canary(self) -> Path:
        """A file that only hostile code writes."""
        return self.folder / CANARY

    @property
    def stdout(self) -> Path:
        """The file that receives standard output."""
        return self.folder / "stdout"

    @property
    def stderr(self) -> Path:
        """The file that receives standard error."""
        return self.folder / "stderr"

    def copy(self, seed: str, name: str | None = None) -> Path:
        """Copy a seed into the input folder, to be changed, and return the copy."""
        source = self.seeds / seed
        target = self.input / (name or source.name)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
        return target

    def secret(self, bytes_: int = 4096) -> Path:
        """Write a file that no input may read."""
        file = self.folder / "secret.bin"
        file.write_bytes((SECRET.encode() * (bytes_ // len(SECRET) + 1))[:bytes_])
        return file

    def earlier_export(self) -> Path:
        """Put an earlier export in place of the target, which a failing command must leave as it is."""
        self.out.mkdir()
        (self.out / "model.onnx").write_bytes(_EARLIER)
        listed = {"model.onnx": {"bytes": len(_EARLIER), "sha256": hashlib.sha256(_EARLIER).hexdigest()}}
        (self.out / "tfexport.json").write_text(json.dumps({"files": listed}))
        return self.out

    def open_to_others(self) -> None:
        """Let other users write into the sandbox."""
        self.folder.chmod(0o777)
        self.cwd.chmod(0o777)


def replace(file: Path, make: Callable[[Path], object]) -> None:
    """Remove a file, and make something else in its place."""
    file.unlink()
    make(file)


def snapshot(path: Path) -> dict[str, str]:
    """Return what lies at and below a path: the content of files by checksum, links by target, and other entries by kind."""
    if path.is_dir() and not path.is_symlink():
        entries = {str(entry.relative_to(path)): entry for entry in sorted(path.rglob("*"))}
        return {".": "folder", **{name: _entry(entry) for name, entry in entries.items()}}
    return {".": _entry(path)} if os.path.lexists(path) else {}


def _entry(path: Path) -> str:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"link to {path.readlink()}"
    if not stat.S_ISREG(status.st_mode):
        return f"mode {stat.S_IFMT(status.st_mode):o}"
    if status.st_blocks * 512 < status.st_size // 2:  # a sparse file may have terabytes
        return f"sparse, {status.st_size} bytes, {status.st_mtime_ns}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def incomplete(export: Path) -> list[str]:
    """Return why a folder is not a complete export: its manifest lists exactly its files. Empty for a complete one."""
    folder = export.resolve()
    try:
        listed = json.loads((folder / "tfexport.json").read_text())["files"]
    except (OSError, ValueError, KeyError) as error:
        return [f"{export.name} is not a complete export: {error}"]
    found = {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "tfexport.json"
    }
    if found == {name: each["sha256"] for name, each in listed.items()}:
        return []
    return [f"{export.name} does not hold what its manifest lists"]
