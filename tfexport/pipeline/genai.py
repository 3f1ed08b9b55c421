"""``genai_config.json``: the file that onnxruntime-genai reads beside a decoder to generate text with it.

The fields are those that onnxruntime-genai's own model builder writes (``models/builders/base.py`` of 0.18). Lengths come from
the contract of the file, whatever their names in the configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.with_past import OnnxConfigWithPast
from tfexport.dummy_inputs import PAST, PRESENT
from tfexport.errors import OutputError, UnreadableFileError, UnsupportedFeatureError
from tfexport.files.json_files import read_object
from tfexport.graph import Contract
from tfexport.pipeline.plan import ConfiguredPlan, Declared, SignaturePlan
from tfexport.pipeline.publishing import MODEL
from tfexport.pipeline.sidecar_files import GENERATION_CONFIG
from tfexport.pipeline.special_tokens import configured, outside
from tfexport.validation import longest_decoded

GENAI_CONFIG = "genai_config.json"

_FEATURE = "causal-lm-with-past"
_FED = ("input_ids", "attention_mask", "position_ids")
"""Inputs that onnxruntime-genai feeds a decoder beside its cache."""
_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")
"""Special tokens that the file names."""
_TYPE = "decoder"
"""onnxruntime-genai's name of a decoder of any family. Its "gpt2" has a cache of one tensor per layer."""
_SEARCH = (
    "diversity_penalty",
    "do_sample",
    "length_penalty",
    "min_length",
    "no_repeat_ngram_size",
    "num_beams",
    "num_return_sequences",
    "repetition_penalty",
    "temperature",
    "top_k",
    "top_p",
)
"""Settings of a search that have the same name in transformers and onnxruntime-genai."""


def check_genai(plan: ConfiguredPlan | SignaturePlan) -> None:
    """Refuse an export that onnxruntime-genai cannot run.

    Raises:
        UnsupportedFeatureError: The model is not a decoder-only model that reads a cache and returns logits, or it has an input
            that onnxruntime-genai does not feed.
    """
    if not isinstance(plan, ConfiguredPlan):
        raise UnsupportedFeatureError(
            f"{GENAI_CONFIG} describes decoder-only models of transformers with a key-value cache, and {plan.checkpoint.source} "
            "is not a checkpoint of transformers. Leave out --genai (genai=True)."
        )
    if not _is_decoder_with_cache(plan.declared):
        raise UnsupportedFeatureError(
            f"{GENAI_CONFIG} describes decoder-only models with a key-value cache, and {plan.feature} of {plan.model_type} "
            f"is not one. Export --feature {_FEATURE}, or leave out --genai (genai=True)."
        )
    unknown = [name for name in plan.declared.config.inputs if name not in _FED and not name.startswith(f"{PAST}.")]
    if unknown:
        raise UnsupportedFeatureError(
            f"{GENAI_CONFIG} cannot be written for {plan.feature} of {plan.model_type}: its inputs include "
            f"{', '.join(unknown)}, and onnxruntime-genai feeds only {', '.join(_FED)} and the cache. "
            "Leave out --genai (genai=True)."
        )
    config = plan.checkpoint.config
    _check_tokens(plan.checkpoint.source, configured(_TOKENS, config, _generation_on_disk(plan)), _vocabulary(config))


def _check_tokens(source: str, tokens: Mapping[str, Any], size: int | None) -> None:
    """Refuse special tokens that onnxruntime-genai refuses when it loads the directory: those outside the vocabulary."""
    wrong = [] if size is None else [f"{name} is {token}" for name, token in outside(tokens, size)]
    if wrong:
        raise UnsupportedFeatureError(
            f"{GENAI_CONFIG} cannot be written for {source}: {', '.join(wrong)}, and the vocabulary has {size} tokens. Set "
            "the ids of its tokenizer in generation_config.json and config.json, or leave out --genai (genai=True)."
        )


def _vocabulary(config: Any) -> int | None:
    size = getattr(config.get_text_config(), "vocab_size", None)
    return size if type(size) is int else None


def _generation_on_disk(plan: ConfiguredPlan) -> Any:
    """Return the settings of generation that the checkpoint has a file for, with attributes; None without one."""
    folder = plan.checkpoint.path
    if folder is None or not (folder / GENERATION_CONFIG).is_file():
        return None
    try:
        return SimpleNamespace(**read_object(folder / GENERATION_CONFIG))
    except UnreadableFileError:  # loading the model names what is wrong
        return None


def _is_decoder_with_cache(declared: Declared) -> bool:
    config = declared.config
    with_cache = isinstance(config, OnnxConfigWithPast) and config.use_past and set(declared.parts) == {"model"}
    return with_cache and "logits" in config.outputs and "input_ids" in config.inputs


def write_genai_config(config: OnnxConfig, model: Any, contract: Contract, folder: Path) -> None:
    """Write ``genai_config.json`` beside a decoder.

    Args:
        config: The declaration of the decoder, which `check_genai` accepts.
        model: The loaded model, whose generation config has the settings of the search and the tokens that end it.
        contract: Inputs and outputs of the file.
        folder: Folder of the file.

    Raises:
        OutputError: The file cannot be written.
    """
    assert isinstance(config, OnnxConfigWithPast)
    values = genai_config(config, model.generation_config, contract)
    tokens = configured(_TOKENS, config._config, model.generation_config)
    _check_tokens(f"the model of {MODEL}", tokens, values["model"]["vocab_size"])
    try:
        (folder / GENAI_CONFIG).write_text(json.dumps(values, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise OutputError(f"{GENAI_CONFIG} could not be written to {folder}: {error}.") from error


def genai_config(declared: OnnxConfigWithPast, generation: Any, contract: Contract) -> dict[str, Any]:
    """Return the contents of ``genai_config.json``.

    Args:
        declared: The declaration of the decoder.
        generation: transformers' generation config of the model.
        contract: Inputs and outputs of the file.
    """
    config = declared._config
    shapes = {port.name: port.shape for port in contract.outputs}
    _, cache_heads, _, head_size = shapes[f"{PRESENT}.0.key"]
    heads = declared.num_attention_heads
    context_length = int(getattr(config, "seq_length", None) or longest_decoded(config))
    return {
        "model": {
            "type": _TYPE,
            "vocab_size": shapes["logits"][-1],
            "context_length": context_length,
            **_token_ids(generation, config),
            "decoder": {
                "filename": MODEL,
                "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
                "hidden_size": int(config.hidden_size),
                "head_size": head_size,
                "num_attention_heads": int(heads[-1] if isinstance(heads, Sequence) else heads),
                "num_key_value_heads": cache_heads,
                "num_hidden_layers": sum(name.startswith(f"{PRESENT}.") and name.endswith(".key") for name in shapes),
                "inputs": {
                    **{port.name: port.name for port in contract.inputs if port.name in _FED},
                    "past_key_names": f"{PAST}.%d.key",
                    "past_value_names": f"{PAST}.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": f"{PRESENT}.%d.key",
                    "present_value_names": f"{PRESENT}.%d.value",
                },
            },
        },
        "search": {
            **{name: value for name in _SEARCH if (value := getattr(generation, name, None)) is not None},
            "early_stopping": generation.early_stopping is True,  # transformers has "never" too
            "max_length": context_length,
            # The file returns a longer cache than it reads; a shared buffer would have one length for both.
            "past_present_share_buffer": False,
        },
    }


def _token_ids(generation: Any, config: Any) -> Mapping[str, Any]:
    """Return the ids of the special tokens. An id that neither configuration has is left out: the runtime refuses null."""
    found = configured(_TOKENS, config, generation)
    if "pad_token_id" not in found and "eos_token_id" in found:  # as transformers' generate pads
        ends = found["eos_token_id"]
        found["pad_token_id"] = ends[0] if isinstance(ends, Sequence) else ends
    return found
