"""Each target reads hostile inputs for some seconds, the same ones each time, and every input of the corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings

from conformance.attack.runner import Zygote
from tests.fuzz import mutations, readers, targets
from tests.fuzz.search import Budget, FoundError, check, search
from tests.fuzz.targets import CORPUS, PRELOADED, TARGETS, Target
from tfexport.errors import TfExportError, UntrustedCodeError

IN_PROCESS = Budget(examples=250, seconds=5.0)
IN_CHILD = Budget(examples=60, seconds=6.0)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote(PRELOADED)
    yield made
    made.close()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_hostile_inputs(target: Target, zygote: Zygote, tmp_path: Path) -> None:
    assert search(target, tmp_path / "input", zygote, IN_CHILD if target.is_native else IN_PROCESS) > 0


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_corpus(target: Target, zygote: Zygote, tmp_path: Path) -> None:
    for file in target.corpus:
        check(target, file.read_bytes(), tmp_path / "input", zygote)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_sound_inputs_are_read(target: Target, zygote: Zygote, tmp_path: Path) -> None:
    """The samples are sound: what is read is the file, and not an error on the way to it."""
    for content in target.sound:
        check(target, content, tmp_path / "input", zygote)
        if target.reader != "checkpoint" and not target.is_native:
            target.lay_out(content, tmp_path / "sound")
            with suppress(UntrustedCodeError):  # a sample has a Lambda
                readers.READERS[target.reader](tmp_path / "sound")


def test_the_corpus_has_no_other_targets() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} - {"README"} <= {target.name for target in TARGETS}


@pytest.mark.parametrize("native", [False, True])
def test_a_failure_is_found(native: bool, zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is not of tfexport, in this process or in a child, is found, with the input that it is of."""
    target = next(each for each in TARGETS if each.is_native == native)

    def fails(folder: Path) -> None:
        raise KeyError("odd")

    monkeypatch.setitem(readers.READERS, target.reader, fails)
    monkeypatch.setattr(targets, "_CHILD", "raise KeyError('odd')")
    with pytest.raises(FoundError, match="odd") as caught:
        check(target, target.sound[0], tmp_path / "input", zygote)
    assert caught.value.content == target.sound[0]


@settings(max_examples=50, derandomize=True, database=None)
@given(mutations.json_bytes([{"a": [1, {"b": "c"}]}]))
def test_most_documents_are_json(content: bytes) -> None:
    assert isinstance(content, bytes)


def test_suites_survive_their_own_writer() -> None:
    import tomllib

    document = {"name": "x", "launches": 1, "engines": ["ort"], "targets": [{"path": "a", "axes": {"b": 2}}]}
    assert tomllib.loads(mutations.toml(document)) == document


def test_a_refusal_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"schema_version": 99}))
    readers.read("results", tmp_path)
    with pytest.raises(TfExportError):
        readers.READERS["results"](tmp_path)
