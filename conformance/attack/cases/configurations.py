"""The config.json of transformers: syntax, types at every place, sizes that no file holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.attack.case import Area, Case
from conformance.attack.commands import Limits
from conformance.attack.documents import nested, odd_documents, places, replaced
from conformance.attack.expectations import Expectation
from conformance.attack.sandbox import Sandbox
from conformance.attack.seeds import FAMILIES, config_of

AREA = Area("configurations")
_FILE = "config.json"
_SOON = Limits(seconds=45)
_AUTO = ("--feature", "auto")
Config = dict[str, Any]

_TEXTS: dict[str, str | bytes] = {
    "no bytes": "",
    "not JSON": "{model_type: bert",
    "a list": "[]",
    "a number": "5",
    "null": "null",
    "a text": '"bert"',
    "not UTF-8": b'{"model_type": "bert", "x": "\xff\xfe"}',
    "UTF-16": '{"model_type": "bert"}'.encode("utf-16"),
    "null bytes": bytes(100),
    "nested deeply": '{"model_type": "bert", "x": ' + nested() + "}",
    "opened 100 000 times": '{"a":' * 100_000,
    "a number of 100 000 digits": '{"model_type": "bert", "x": ' + "9" * 100_000 + "}",
    "an exponent of 10 digits": '{"model_type": "bert", "hidden_size": 1e9999999999}',
    "NaN": '{"model_type": "bert", "hidden_size": NaN}',
    "half a surrogate pair": '{"model_type": "\\ud800"}',
}
_REFUSED: dict[str, dict[str, Any]] = {
    "a model_type that does not exist": {"model_type": "odd\x1b[31m"},
    "a model_type that is a list": {"model_type": ["bert"]},
    "a model_type that is an object": {"model_type": {"bert": 1}},
    "the model_type of another family": {"model_type": "gpt2"},
    "an activation that does not exist": {"hidden_act": "os.system"},
    "a quantised checkpoint whose library is missing": {
        "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}
    },
    "a quantised checkpoint of GPTQ": {"quantization_config": {"quant_method": "gptq", "bits": 4}},
    "a quantised checkpoint of AWQ": {"quantization_config": {"quant_method": "awq"}},
    "no attention heads": {"num_attention_heads": 0},
}
_AUTO_REFUSED: dict[str, dict[str, Any]] = {
    "architectures of no class": {"architectures": ["OddModel"]},
    "architectures of a function": {"architectures": ["logging"]},
    "architectures of a module": {"architectures": ["models"]},
    "architectures that are a number": {"architectures": 5},
    "architectures that are lists": {"architectures": [["BertModel"]]},
    "architectures that are null": {"architectures": [None]},
    "architectures of a dunder": {"architectures": ["__class__"]},
}
_SAFE: dict[str, dict[str, Any]] = {
    "a dtype that is an import": {"torch_dtype": "__import__", "dtype": "__import__"},
    "a dtype of torch that is a function": {"torch_dtype": "load", "dtype": "load"},
    "quantisation of an unknown method": {"quantization_config": {"quant_method": "odd"}},
    "quantisation that is a text": {"quantization_config": "4bit"},
    "attention by a kernel of the hub": {"_attn_implementation": "odd/kernel", "attn_implementation": "odd/kernel"},
    "id2label that is a text": {"id2label": "odd"},
    "label2id of lists": {"label2id": [[1]]},
    "pruned heads beyond the layers": {"pruned_heads": {"99": [0]}},
    "a task of parameters": {"task_specific_params": [1]},
    "attributes that the class has": {"from_pretrained": 5, "to_dict": 5, "save_pretrained": None},
    "attributes of Python": {"__class__": "int", "__dict__": {}, "__module__": 5},
}
_EXPORTED: dict[str, dict[str, Any]] = {
    "_name_or_path leads elsewhere": {"_name_or_path": "../../../etc", "name_or_path": "/etc/passwd"},
    "auto_map names Python in the folder": {"auto_map": {"AutoConfig": "odd.Odd", "AutoModel": "odd.Odd"}},
    "auto_map names Python of the hub": {"auto_map": {"AutoModel": "someone/repository--odd.Odd"}},
}
_SIZES: dict[str, dict[str, Any]] = {
    "vocab_size is 50 million": {"vocab_size": 50_000_000},
    "vocab_size is 10^12": {"vocab_size": 10**12},
    "a million layers": {"num_hidden_layers": 1_000_000},
    "10^9 layers": {"num_hidden_layers": 10**9},
    "hidden_size is 10^9": {"hidden_size": 10**9, "num_attention_heads": 1},
    "hidden_size is 10^5": {"hidden_size": 10**5, "num_attention_heads": 1},
    "intermediate_size is 10^9": {"intermediate_size": 10**9},
    "2^40 positions": {"max_position_embeddings": 2**40},
    "a million positions": {"max_position_embeddings": 10**7},
    "type_vocab_size is 10^10": {"type_vocab_size": 10**10},
}
_QUICK = (
    "nested deeply",
    "a quantised checkpoint whose library is missing",
    "no attention heads",
    "architectures that are a number",
    "vocab_size is 50 million, tf",
    "a million layers, pt",
    "auto_map names Python in the folder",
)
_NUMBERS: dict[str, Any] = {
    "a text": "odd",
    "negative": -32,
    "zero": 0,
    "a list": [32],
    "null": None,
    "a fraction": 32.5,
}
_FRAMEWORKS = {"pt": "bert-pt", "tf": "bert-tf"}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for name, text in _TEXTS.items():
        yield AREA.change(f"the file is {name}", _text(text), quick=name in _QUICK)
    yield AREA.change("the file has 100 MB", _values({"x": "a" * 100_000_000}), expect=Expectation.SAFE)
    yield AREA.change("a byte order mark", _marked, expect=Expectation.SAFE)
    yield AREA.change("no model_type", _without_type)
    for name, values in _REFUSED.items():
        yield AREA.change(name, _values(values), quick=name in _QUICK)
        if "model_type" not in values:
            yield AREA.change(f"{name}, tf", _values(values), seed="bert-tf")
    for name, values in _AUTO_REFUSED.items():
        yield AREA.change(name, _values(values), options=_AUTO, quick=name in _QUICK)
    for name, values in _SAFE.items():
        yield AREA.change(name, _values(values), expect=Expectation.SAFE)
        yield AREA.change(f"{name}, tf", _values(values), seed="bert-tf", expect=Expectation.SAFE)
    for name, values in _EXPORTED.items():
        yield AREA.change(name, _with_python(values), expect=Expectation.EXPORTED, quick=name in _QUICK)
    for framework, seed in _FRAMEWORKS.items():
        for name, values in _SIZES.items():
            named = f"{name}, {framework}"
            yield AREA.change(named, _values(values), seed=seed, limits=_SOON, quick=named in _QUICK)
        for size in ("hidden_size", "num_hidden_layers", "vocab_size", "num_attention_heads"):
            for name, value in _NUMBERS.items():
                yield AREA.change(
                    f"{size} is {name}, {framework}", _values({size: value}), seed=seed, expect=Expectation.SAFE
                )


def walks(seeds: Path) -> Iterator[Case]:
    """Yield the cases of walks through documents of the seeds."""
    for family in FAMILIES:
        yield from _walk(family, config_of(seeds / f"family-{family}"))
    for family in ("gpt2", "t5", "vit", "clip", "whisper"):
        yield from _large(family, config_of(seeds / f"family-{family}"))


def _walk(family: str, config: Config) -> Iterator[Case]:
    area = Area("configurations", f"family-{family}")
    for name, document in odd_documents(config, per_place=1):
        yield area.change(f"of {family}, {name}", _text(json.dumps(document)), expect=Expectation.SAFE, limits=_SOON)


def _large(family: str, config: Config) -> Iterator[Case]:
    """Yield configurations that ask for a billion of whatever is a number in them."""
    area = Area("configurations", f"family-{family}")
    for place in places(config):
        value: Any = config
        for key in place:
            value = value[key]
        if isinstance(value, int) and not isinstance(value, bool) and value > 1:
            text = json.dumps(replaced(config, place, 10**9))
            name = "/".join(map(str, place))
            yield area.change(f"of {family}, {name} is 10^9", _text(text), expect=Expectation.SAFE, limits=_SOON)


def _text(text: str | bytes) -> Callable[[Path, Sandbox], object]:
    content = text if isinstance(text, bytes) else text.encode()
    return lambda model, _: (model / _FILE).write_bytes(content)


def _values(values: dict[str, Any]) -> Callable[[Path, Sandbox], object]:
    return lambda model, _: (model / _FILE).write_text(json.dumps({**config_of(model), **values}))


def _with_python(values: dict[str, Any]) -> Callable[[Path, Sandbox], None]:
    def spoil(model: Path, sandbox: Sandbox) -> None:
        (model / "odd.py").write_text(f"open({str(sandbox.canary)!r}, 'w').close()\nclass Odd: pass\n")
        _values(values)(model, sandbox)

    return spoil


def _marked(model: Path, sandbox: Sandbox) -> None:
    (model / _FILE).write_text("\ufeff" + (model / _FILE).read_text())


def _without_type(model: Path, sandbox: Sandbox) -> None:
    config = config_of(model)
    del config["model_type"]
    (model / _FILE).write_text(json.dumps(config))
