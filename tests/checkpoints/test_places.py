"""Where a checkpoint lies: names that are not paths, files that are not files. Nothing hangs, and nothing is read."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import support
from tfexport.backends import get_backend
from tfexport.checkpoints import places
from tfexport.checkpoints.checkpoint import open_checkpoint
from tfexport.checkpoints.framework import FRAMEWORKS
from tfexport.errors import CheckpointError, CheckpointNotFoundError

NAMES = {
    "": "is empty. Expected a folder",
    "  ": "is empty. Expected a folder",
    "./" + "a" * 5000: "File name too long. Expected a folder",
    "a" * 5000: "File name too long. Expected a folder",
    "~nobody-of-that-name/x": "is not a path: .*home.*Expected a folder",
    "a\0b": "is not a path: .*null.*Expected a folder",
    "a\n b": "is neither a path that exists nor a hub id",
    "/dev/null": "is a device. Expected a folder",
    "/dev/zero": "is a device. Expected a folder",
    "caf\udce9": "is neither a path that exists nor a hub id",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_not_a_checkpoint(name: str) -> None:
    with pytest.raises(CheckpointNotFoundError, match=NAMES[name]) as found:
        open_checkpoint(name)
    assert len(str(found.value)) < 1000
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("make", ["fifo", "socket", "loop", "below a file"])
def test_a_path_that_is_not_a_checkpoint(make: str, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    if make == "fifo":
        os.mkfifo(path)
    elif make == "loop":
        path.symlink_to(path)
    elif make == "below a file":
        (tmp_path / "file").write_text("")
        path = tmp_path / "file" / "model.keras"
    if make == "socket":
        with socket.socket(socket.AF_UNIX) as served:
            served.bind(str(path))
            with pytest.raises(CheckpointNotFoundError, match="is a socket"):
                open_checkpoint(path)
        return
    with pytest.raises(CheckpointNotFoundError, match=r"Expected a folder"):
        open_checkpoint(path)


OPENED = (
    *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "merges.txt"),
    *(
        "spiece.model",
        "chat_template.jinja",
        "preprocessor_config.json",
        "added_tokens.json",
        "special_tokens_map.json",
    ),
    *("model.safetensors", "pytorch_model.bin", "tf_model.h5", "model.safetensors.index.json", "saved_model.pb"),
    *(
        "metadata.json",
        "task.json",
        "modules.json",
        "adapter_config.json",
        "variables/variables.index",
        "1_Pooling/config.json",
    ),
)


@pytest.mark.parametrize("kind", ["a FIFO", "a device"])
def test_a_file_that_is_not_regular(kind: str, tmp_path: Path) -> None:
    for name in OPENED:
        folder = support.write_config(tmp_path / name.replace("/", "-"))
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        if kind == "a FIFO":
            os.mkfifo(file)
        else:
            file.symlink_to("/dev/zero")
        with pytest.raises(CheckpointError, match=f"{file} is {kind}, and every file"):
            open_checkpoint(folder)


@pytest.mark.parametrize("name", OPENED)
def test_a_link_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = support.write_config(tmp_path / "model")
    (tmp_path / "secret").write_text("secret")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("../secret" if "/" not in name else "../../secret")
    with pytest.raises(CheckpointError, match=f"is a link to {tmp_path}/secret, which lies outside the checkpoint"):
        open_checkpoint(folder)


def test_a_folder_of_weights_that_is_a_link_out(tmp_path: Path) -> None:
    folder = support.write_config(tmp_path / "model")
    (tmp_path / "elsewhere").mkdir()
    (folder / "variables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="lies outside the checkpoint"):
        open_checkpoint(folder)


def test_links_that_a_checkpoint_may_have(tmp_path: Path) -> None:
    """Those of a cache of the hub, those within the folder, to nothing, and the folder itself as a link."""
    model = tmp_path / "models--o--m"
    blobs, snapshot = model / "blobs", model / "snapshots" / "main"
    blobs.mkdir(parents=True)
    support.write_config(snapshot)
    (snapshot / "config.json").rename(blobs / "abc")
    (snapshot / "config.json").symlink_to("../../blobs/abc")
    support.write_safetensors(blobs / "def", "pt")
    other = tmp_path / "local"  # as the hub's older clients made it: links into the cache from a folder elsewhere
    other.mkdir()
    for folder in (snapshot, other):
        (folder / "model.safetensors").symlink_to(blobs / "def")
        (folder / "same.safetensors").symlink_to("model.safetensors")
        (folder / "gone.bin").symlink_to("nowhere")
        (folder / "loop").symlink_to("loop")
        (folder / "1_loop").symlink_to(folder)
        (folder / "data").symlink_to(tmp_path)  # nothing is read from there
        (folder / ".hidden").symlink_to("/dev/zero")
    (other / "config.json").symlink_to(blobs / "abc")
    (tmp_path / "link").symlink_to(other)
    for folder in (snapshot, other, tmp_path / "link"):
        assert open_checkpoint(folder).config.model_type == "bert"


def test_a_tokenizer_that_is_far_too_large(tmp_path: Path) -> None:
    folder = support.write_config(tmp_path / "model")
    support.write_safetensors(folder / "model.safetensors", "pt")
    with (folder / "tokenizer.json").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(CheckpointError, match="at most 67,108,864 are expected"):
        open_checkpoint(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize(
    ("closed", "mode"),
    [("", 0), ("", 0o444), ("config.json", 0), ("model.safetensors", 0), ("model.safetensors.index.json", 0)],
)
def test_what_the_user_may_not_read(closed: str, mode: int, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder != Path("/") and folder != Path("/tmp"):
            folder.chmod(0o755)
    model = support.write_config(tmp_path / "model")
    support.write_safetensors(model / "model.safetensors", "pt")
    if closed.endswith("index.json"):
        support.write_index(model / closed, ["model.safetensors"])
    (model / closed).chmod(mode)
    os.seteuid(65534)
    try:
        with pytest.raises(CheckpointError, match=r"may not (be )?read"):
            _ = open_checkpoint(model).config
    finally:
        os.seteuid(0)
        (model / closed).chmod(0o755)


def test_a_folder_whose_name_is_not_utf_8(bert: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "caf\udce9"
    folder.symlink_to(bert("pt"))
    checkpoint = open_checkpoint(folder)
    loaded = get_backend("pt").load(checkpoint, "BertModel", checkpoint.choose_framework("pt", FRAMEWORKS))
    assert loaded.missing_weights == frozenset()
    with places.in_utf8(str(folder)) as place:
        assert place.isascii()
    assert not Path(place).parent.exists()
