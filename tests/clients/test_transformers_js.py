"""transformers.js runs the published directory on Node.js, with the results of transformers' own pipelines."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, pipeline

from tests.clients.models import SENTENCES, Exported

pytestmark = pytest.mark.client("node")

Calls = Sequence[tuple[Any, Mapping[str, Any]]]
AS_PUBLISHED = {"subfolder": ""}
"""Options for a published directory: by default transformers.js looks for graphs in a folder ``onnx``."""
SECONDS = 120


@pytest.fixture(scope="module")
def run(javascript: Path) -> Callable[..., list[Any]]:
    """Return a function that runs one pipeline of transformers.js on a folder."""

    def call(folder: Path, task: str, calls: Calls, options: Mapping[str, Any] = AS_PUBLISHED) -> list[Any]:
        request = {
            "root": str(folder.parent),
            "model": folder.name,
            "task": task,
            "options": dict(options),
            "calls": [[inputs, dict(settings)] for inputs, settings in calls],
        }
        done = subprocess.run(
            ["node", "run.mjs"],
            cwd=javascript,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        results: list[Any] = json.loads(done.stdout)
        return results

    return call


def _ours(export: Exported, task: str, calls: Calls) -> list[Any]:
    """Run transformers' own pipeline on the TensorFlow checkpoint."""
    tokenizer = AutoTokenizer.from_pretrained(str(export.checkpoint))
    source = pipeline(task, model=export.source("tf"), tokenizer=tokenizer, framework="tf")
    return [source(inputs, **settings) for inputs, settings in calls]


def _texts(results: Any) -> list[str]:
    """Return the generated texts of nested results."""
    if isinstance(results, Mapping):
        return [results["generated_text"]]
    return [text for result in results for text in _texts(result)]


def test_text_generation(run: Callable[..., list[Any]], exported: Callable[[str], Exported]) -> None:
    """One text, and two of unequal lengths."""
    export = exported("gpt2")
    one, two = SENTENCES[0], [SENTENCES[1], SENTENCES[2][:20]]
    settings = {"max_new_tokens": 12, "do_sample": False}
    theirs = run(export.folder, "text-generation", [(one, settings), (two, settings)])
    ours = _ours(export, "text-generation", [(one, settings), (two, settings)])
    assert _texts(theirs) == _texts(ours)
    assert all(len(text) > len(prompt) + 5 for text, prompt in zip(_texts(theirs), [one, *two], strict=True))


def test_text2text_generation(run: Callable[..., list[Any]], exported: Callable[[str], Exported]) -> None:
    """Through the encoder and the merged decoder; one text, and two of unequal lengths."""
    export = exported("t5")
    one, two = "word5 word9 word77", ["word30 word31 word32 word33", "word90"]
    # Not to end before the last token: transformers.js 4.3 goes on with a row of a batch that has ended.
    settings = {"max_new_tokens": 12, "min_length": 13, "no_repeat_ngram_size": 1}
    theirs = run(export.folder, "text2text-generation", [(one, settings), (two, settings)])
    ours = _ours(export, "text2text-generation", [(one, settings), (two, settings)])
    assert _texts(theirs) == _texts(ours)
    assert all(len(text.split()) > 10 for text in _texts(theirs)) and len(set(_texts(theirs))) == 3


def test_text_classification(run: Callable[..., list[Any]], exported: Callable[[str], Exported]) -> None:
    export = exported("bert")
    texts = ["word7 word9", "word50 word51 word52 word53", "word98"]
    (theirs,) = run(export.folder, "text-classification", [(texts, {"top_k": None})])
    (ours,) = _ours(export, "text-classification", [(texts, {"top_k": None})])
    for found, expected in zip(theirs, ours, strict=True):
        assert [label["label"] for label in found] == [label["label"] for label in expected]
        assert [label["score"] for label in found] == pytest.approx([label["score"] for label in expected], abs=1e-5)


def test_the_layout_of_the_hub(
    run: Callable[..., list[Any]], exported: Callable[[str], Exported], tmp_path: Path
) -> None:
    """Without options: configuration and tokenizer in the folder, graphs in ``onnx`` below it."""
    export = exported("bert")
    (tmp_path / "hub" / "onnx").mkdir(parents=True)
    for file in export.folder.iterdir():
        shutil.copyfile(file, tmp_path / "hub" / ("onnx" if file.suffix == ".onnx" else "") / file.name)
    call: tuple[str, dict[str, Any]] = ("word7 word9", {})
    assert run(tmp_path / "hub", "text-classification", [call], {}) == run(export.folder, "text-classification", [call])
