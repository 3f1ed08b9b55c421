"""Tiny configurations of text encoder-decoders. Encoder and decoder differ in depth, heads and feed-forward width."""

from __future__ import annotations

from typing import Any

from conformance.zoo.tiny.sizes import Tiny

BART = {
    "vocab_size": 99,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 3,
    "encoder_ffn_dim": 37,
    "decoder_ffn_dim": 29,
    "max_position_embeddings": 64,
    "num_labels": 3,
}
T5 = {
    "vocab_size": 99,
    "d_model": 24,
    "d_kv": 12,
    "d_ff": 37,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "num_heads": 3,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 12,
    "num_labels": 3,
}
MARIAN_PAD = {"pad_token_id": 98, "decoder_start_token_id": 98}


def _encoder_decoder(feature: str) -> Any:
    from transformers import BertConfig, EncoderDecoderConfig, GPT2Config

    encoder = BertConfig(
        vocab_size=99,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=37,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    decoder = GPT2Config(
        vocab_size=89,
        n_embd=24,
        n_layer=3,
        n_head=3,
        n_positions=64,
        bos_token_id=87,
        eos_token_id=88,
        pad_token_id=86,
        initializer_range=0.3,
    )
    return EncoderDecoderConfig.from_encoder_decoder_configs(
        encoder, decoder, decoder_start_token_id=decoder.bos_token_id, pad_token_id=decoder.pad_token_id
    )


def _rag(feature: str) -> Any:
    from transformers import BartConfig, DPRConfig, RagConfig

    question_encoder = DPRConfig(
        vocab_size=89,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=37,
        max_position_embeddings=64,
    )
    generator = BartConfig(**BART, init_std=0.3)
    return RagConfig.from_question_encoder_generator_configs(
        question_encoder, generator, n_docs=3, do_marginalize=feature == "seq2seq-lm"
    )


TINY: dict[str, Tiny] = {
    "bart": BART,
    "bigbird-pegasus": {**BART, "block_size": 8},
    "blenderbot": BART,
    "blenderbot-small": BART,
    "encoder-decoder": _encoder_decoder,
    "led": {
        **{name: value for name, value in BART.items() if name != "max_position_embeddings"},
        "attention_window": 4,
        "max_encoder_position_embeddings": 64,
        "max_decoder_position_embeddings": 48,
    },
    "longt5": {**T5, "local_radius": 5, "global_block_size": 4},
    "m2m-100": BART,
    "marian": {**BART, **MARIAN_PAD, "decoder_vocab_size": 99},
    "mbart": BART,
    "mt5": T5,
    "pegasus": BART,
    "plbart": BART,
    "rag": _rag,
    "t5": T5,
    "umt5": T5,
}
