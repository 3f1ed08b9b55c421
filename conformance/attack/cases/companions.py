"""Files beside the weights: tokenizers, processors, metadata; Python that they name; devices and FIFOs in their place."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.attack.case import Area, Case
from conformance.attack.commands import Command, Limits, tfexport
from conformance.attack.documents import nested, odd_documents
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox

AREA = Area("companions")
_SOON = Limits(seconds=60)
_READ = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_MAYBE_READ = (
    *("generation_config.json", "preprocessor_config.json", "processor_config.json", "metadata.json"),
    *("added_tokens.json", "chat_template.jinja", "modules.json", "adapter_config.json", "sentence_bert_config.json"),
    *(
        "video_preprocessor_config.json",
        "audio_tokenizer_config.json",
        "chat_template.json",
        "merges.txt",
        "spiece.model",
    ),
)
_INSTEAD: dict[str, Callable[[Path, Sandbox], object]] = {
    "a FIFO": lambda file, _: os.mkfifo(file),
    "a link to /dev/zero": lambda file, _: file.symlink_to("/dev/zero"),
    "a folder": lambda file, _: file.mkdir(),
    "a link to itself": lambda file, _: file.symlink_to(file.name),
    "nested deeply": lambda file, _: file.write_text(nested()),
    "a list": lambda file, _: file.write_text("[1]"),
    "not UTF-8": lambda file, _: file.write_bytes(b"\xff\xfe" * 50),
}
_BREAKING = ("a FIFO", "a link to /dev/zero", "nested deeply")
_QUICK = (
    "metadata.json is a FIFO",
    "metadata.json is a link to /dev/zero",
    "tokenizer_config.json is nested deeply",
    "config.json is a FIFO",
)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for file in (*_READ, *_MAYBE_READ):
        for kind, make in _INSTEAD.items():
            if file in _READ or kind in _BREAKING:
                name = f"{file} is {kind}"
                expect = Expectation.REFUSED if file == "config.json" else Expectation.SAFE
                yield AREA.change(name, _instead(file, make), expect=expect, limits=_SOON, quick=name in _QUICK)
    for name, change in _CHANGED.items():
        yield AREA.change(name, change, expect=Expectation.SAFE, limits=_SOON)
    yield from _remote_code()


def walks(seeds: Path) -> Iterator[Case]:
    """Yield the cases of walks through documents of the seeds."""
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        for name, document in odd_documents(json.loads((seeds / "bert-pt" / file).read_text()), per_place=1):
            yield AREA.change(
                f"in {file}, {name}",
                _document(file, document),
                expect=Expectation.SAFE,
            )


def _document(file: str, document: Any) -> Callable[[Path, Sandbox], object]:
    return lambda model, _: (model / file).write_text(json.dumps(document))


def _instead(file: str, make: Callable[[Path, Sandbox], object]) -> Callable[[Path, Sandbox], None]:
    def spoil(model: Path, sandbox: Sandbox) -> None:
        (model / file).unlink(missing_ok=True)
        if file == "vocab.txt":
            (model / "tokenizer.json").unlink()  # it is read in its place
        make(model / file, sandbox)

    return spoil


def _without_vocabulary(model: Path, sandbox: Sandbox) -> None:
    for file in ("vocab.txt", "tokenizer.json"):
        (model / file).unlink()


def _linked_vocabulary(model: Path, sandbox: Sandbox) -> None:
    (model / "vocab.txt").unlink()
    (model / "vocab.txt").symlink_to("/dev/stdin")


_CHANGED: dict[str, Callable[[Path, Sandbox], object]] = {
    "tokenizer.json is not JSON": lambda model, _: (model / "tokenizer.json").write_text("{"),
    "a tokenizer class that is a number": lambda model, _: _rewrite(model / "tokenizer_config.json", tokenizer_class=5),
    "a tokenizer class that is a function": lambda model, _: _rewrite(
        model / "tokenizer_config.json", tokenizer_class="logging"
    ),
    "ids of tokens beyond the embeddings": lambda model, _: (model / "tokenizer.json").write_text(
        (model / "tokenizer.json").read_text().replace('"word58": 63', '"word58": 9999999')
    ),
    "an id of a token that is 2^70": lambda model, _: (model / "tokenizer.json").write_text(
        (model / "tokenizer.json").read_text().replace('"word58": 63', f'"word58": {2**70}')
    ),
    "a regular expression that backtracks for ever": lambda model, _: _pre_tokenizer(model, "(a+)+$"),
    "no vocabulary": _without_vocabulary,
    "a vocabulary that is standard input": _linked_vocabulary,
    "a chat template that loops for ever": lambda model, _: (model / "chat_template.jinja").write_text(
        "{% for i in range(10**12) %}{% endfor %}"
    ),
    "folders that link to each other": lambda model, _: _link_folders(model),
    "a feature extractor of no class": lambda model, _: (model / "preprocessor_config.json").write_text(
        '{"feature_extractor_type": "__import__", "image_processor_type": 5}'
    ),
    "a tokenizer file with an absolute name": lambda model, _: _rewrite(
        model / "tokenizer_config.json", vocab_file="/etc/passwd", tokenizer_file="/etc/passwd"
    ),
    "a tokenizer of another repository": lambda model, _: _rewrite(
        model / "tokenizer_config.json", auto_map={"AutoTokenizer": ["someone/repository--odd.Odd", None]}
    ),
}


def _link_folders(model: Path) -> None:
    for name in ("1_Pooling", "loop"):
        (model / name).symlink_to(model)


def _rewrite(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def _pre_tokenizer(model: Path, pattern: str) -> None:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    _rewrite(model / "tokenizer.json", pre_tokenizer=split)


_TOKENIZER = {
    "tokenizer_class": "Odd",
    "auto_map": {"AutoTokenizer": ["odd.Odd", "odd.Odd"], "AutoProcessor": "odd.Odd"},
}
_PROCESSOR = {
    "image_processor_type": "Odd",
    "processor_class": "Odd",
    "feature_extractor_type": "Odd",
    "auto_map": {
        "AutoImageProcessor": "odd.Odd",
        "AutoProcessor": "odd.Odd",
        "AutoFeatureExtractor": "odd.Odd",
        "AutoVideoProcessor": "odd.Odd",
    },
}
_AUTO_MAP = dict.fromkeys(("AutoConfig", "AutoModel", "AutoModelForMaskedLM", "AutoTokenizer"), "odd.Odd")
_NAMING = {
    "tokenizer_config.json": _TOKENIZER,
    "preprocessor_config.json": _PROCESSOR,
    "processor_config.json": _PROCESSOR,
    "video_preprocessor_config.json": _PROCESSOR,
    "config.json": {"auto_map": _AUTO_MAP, "tokenizer_class": "Odd"},
}


def _remote_code() -> Iterator[Case]:
    """Yield files that name Python in the folder; what waits on standard input must not answer a question about it."""
    for file, values in _NAMING.items():
        for answer, stdin in (("yes", "y\n" * 20), ("nothing", "")):
            for preprocessor in ("auto", "tokenizer", "image_processor", "feature_extractor", "processor"):
                if preprocessor == "auto" or answer == "yes":
                    yield AREA.case(
                        f"{file} names Python, preprocessor {preprocessor}, standard input says {answer}",
                        _naming(file, values, stdin, preprocessor),
                        expect=Expectation.SAFE,
                        quick=preprocessor == "auto" and answer == "yes",
                    )


def _naming(file: str, values: dict[str, Any], stdin: str, preprocessor: str) -> Callable[[Sandbox], Command]:
    def prepare(sandbox: Sandbox) -> Command:
        model = sandbox.copy("bert-pt")
        (model / "odd.py").write_text(
            f"open({str(sandbox.canary)!r}, 'w').close()\nfrom transformers import BertTokenizer\n"
            "class Odd(BertTokenizer): pass\n"
        )
        found = json.loads((model / file).read_text()) if (model / file).is_file() else {}
        (model / file).write_text(json.dumps({**found, **values}))
        options = ("--preprocessor", preprocessor)
        return tfexport("export", "-m", model, *options, sandbox.out, stdin=stdin, limits=_SOON)

    return prepare
