"""Tiny checkpoints with tokenizers, which the clients load once exported.

The sizes are those that every client expects and real checkpoints have: the decoder has as many heads as the encoder, and
the width of a head is the hidden size divided by the number of heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests import support

VOCABULARY = 99
SENTENCES = (
    "the cat sat on the mat and looked at the rain",
    "a small boat went down the river to the sea",
    "she told him that the train would be late again",
    "there were three old trees behind the stone house",
)
TENSORFLOW, PYTORCH = "tf-safetensors", "pt"


def byte_pairs(folder: Path) -> None:
    """Save a byte-pair tokenizer like GPT-2's, which pads with its end token; it only knows the letters of `SENTENCES`."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer
    from transformers import GPT2TokenizerFast

    end = "<|endoftext|>"
    made = Tokenizer(BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(vocab_size=VOCABULARY, special_tokens=[end], show_progress=False)
    made.train_from_iterator(SENTENCES, trainer)
    assert made.get_vocab_size() == VOCABULARY
    special = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), end)
    GPT2TokenizerFast(tokenizer_object=made, padding_side="left", **special).save_pretrained(folder)


def unigrams(folder: Path) -> None:
    """Save a unigram tokenizer like T5's: padding is 0, the end is 1."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import Unigram
    from transformers import T5TokenizerFast

    special = ["<pad>", "</s>", "<unk>"]
    words = [f"▁word{i}" for i in range(len(special), VOCABULARY)]
    made = Tokenizer(Unigram([*((name, 0.0) for name in special), *((word, -3.0) for word in words)], unk_id=2))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", 1)]
    )
    T5TokenizerFast(tokenizer_object=made, extra_ids=0).save_pretrained(folder)


def word_pieces(folder: Path) -> None:
    """Save a BERT tokenizer."""
    support.small_tokenizer(folder, VOCABULARY)


@dataclass(frozen=True)
class Checkpoint:
    """A tiny checkpoint and how it is exported.

    Attributes:
        model_type: with hyphens.
        class_name: PyTorch's name of the class.
        feature: what is exported.
        values: settings of its configuration.
        form: of the checkpoint.
        tokenizer: writes one into the checkpoint.
    """

    model_type: str
    class_name: str
    feature: str
    values: Mapping[str, Any] = field(default_factory=dict)
    form: str = TENSORFLOW
    tokenizer: Callable[[Path], None] | None = None

    @property
    def genai(self) -> bool:
        """Whether onnxruntime-genai can run the export too."""
        return self.feature == "causal-lm-with-past"

    def save(self, folder: Path) -> None:
        """Write the checkpoint."""
        support.save_tiny(folder, self.model_type, self.class_name, self.form, **self.values)
        if self.tokenizer is not None:
            self.tokenizer(folder)


_CAUSAL, _SEQ2SEQ, _SPEECH = "causal-lm-with-past", "seq2seq-lm-with-past", "speech2seq-lm-with-past"
_SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_BART = {
    **_SPECIAL,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": None,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 3,
    "init_std": 0.8,
}
_HEARS = {"encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4}

CHECKPOINTS = {
    "gpt2": Checkpoint(
        "gpt2",
        "GPT2LMHeadModel",
        _CAUSAL,
        {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None},  # as GPT-2 itself
        tokenizer=byte_pairs,
    ),
    "gptj": Checkpoint("gptj", "GPTJForCausalLM", _CAUSAL, _SPECIAL),
    "opt": Checkpoint("opt", "OPTForCausalLM", _CAUSAL, _SPECIAL),
    "xglm": Checkpoint("xglm", "XGLMForCausalLM", _CAUSAL, _SPECIAL),
    # Four heads share two keys and values. Without a window: the frameworks' cached steps see different ones.
    "mistral": Checkpoint("mistral", "MistralForCausalLM", _CAUSAL, {**_SPECIAL, "sliding_window": None}),
    "gpt-neo of PyTorch": Checkpoint("gpt-neo", "GPTNeoForCausalLM", _CAUSAL, _SPECIAL, form=PYTORCH),
    "t5": Checkpoint(
        "t5",
        "T5ForConditionalGeneration",
        _SEQ2SEQ,
        # PyTorch's cache of transformers 4.57.6 has as many layers as the encoder.
        {"d_kv": 8, "num_decoder_layers": 2, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
        tokenizer=unigrams,
    ),
    "bart": Checkpoint("bart", "BartForConditionalGeneration", _SEQ2SEQ, _BART),
    "marian": Checkpoint("marian", "MarianMTModel", _SEQ2SEQ, {**_BART, "decoder_start_token_id": 0}),
    "whisper": Checkpoint(
        "whisper",
        "WhisperForConditionalGeneration",
        _SPEECH,
        {**_SPECIAL, **_HEARS, "decoder_start_token_id": 3},
    ),
    "speech-to-text": Checkpoint(
        "speech-to-text",
        "Speech2TextForConditionalGeneration",
        _SPEECH,
        {**_HEARS, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2},
    ),
    "vision-encoder-decoder": Checkpoint(
        "vision-encoder-decoder", "VisionEncoderDecoderModel", "vision2seq-lm-with-past"
    ),
    "bert": Checkpoint("bert", "BertForSequenceClassification", "sequence-classification", tokenizer=word_pieces),
}


@dataclass(frozen=True)
class Exported:
    """A checkpoint and its export.

    Attributes:
        checkpoint: the folder with the weights.
        folder: the published directory.
        feature: what was exported.
    """

    checkpoint: Path
    folder: Path
    feature: str

    def source(self, framework: str) -> Any:
        """Return the model itself in a framework, from the checkpoint's weights of either framework."""
        from tfexport.onnx.features import FeaturesManager

        feature = self.feature.removesuffix("-with-past")
        return FeaturesManager.get_model_from_feature(feature, str(self.checkpoint), framework=framework)


def generate(framework: str, model: Any, inputs: Mapping[str, np.ndarray], **settings: Any) -> list[list[int]]:
    """Return the tokens that transformers' `generate` generates, row by row: ``"tf"``, or ``"pt"`` for PyTorch and optimum."""
    given: dict[str, Any]
    if framework == "tf":
        import tensorflow as tf

        integers = {np.dtype(np.int64): tf.int32}  # TensorFlow's `generate` appends tokens of 32 bits
        given = {name: tf.constant(array, integers.get(array.dtype)) for name, array in inputs.items()}
    else:
        import torch

        given = {name: torch.from_numpy(array) for name, array in inputs.items()}
    rows: list[list[int]] = model.generate(**given, do_sample=False, **settings).numpy().tolist()
    return rows
