"""Speech encoders, and models that turn speech into text.

A second of audio at 16 kHz is 16000 samples: the convolutions shorten it 320 times as the real ones do, with few
channels.
"""

from __future__ import annotations

from conformance.zoo.tiny.sizes import Tiny

_WAVEFORM = {
    "vocab_size": 29,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "conv_dim": (10, 10, 10),  # transformers' TensorFlow classes accept only one width
    "conv_kernel": (10, 8, 5),
    "conv_stride": (8, 8, 5),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 18,
    "num_labels": 3,
}
_SPEECH_TO_TEXT = {
    "vocab_size": 99,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 37,
    "decoder_ffn_dim": 41,
    "max_target_positions": 48,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
TINY: dict[str, Tiny] = {
    "hubert": _WAVEFORM,
    "speech-to-text": {
        **_SPEECH_TO_TEXT,
        "input_feat_per_channel": 14,
        "conv_channels": 18,
        "max_source_positions": 200,
    },
    "wav2vec2": _WAVEFORM,
    "whisper": {
        **_SPEECH_TO_TEXT,
        "num_mel_bins": 14,
        "max_source_positions": 19,
        "num_labels": 3,
        "classifier_proj_size": 18,
        "suppress_tokens": None,
        "begin_suppress_tokens": None,
    },
}
