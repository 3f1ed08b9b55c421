"""Speech encoders, and models that turn speech into text.

Waveforms are the only input, ``input_values`` without a mask: optimum's files take the same, and the base models were trained
so. Log-mel features are ``input_features``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from tfexport.declarations.architectures.axes import AUDIO, DECODER_TEXT, FRAMES, ONE_TOKEN, PER_SAMPLE, ports
from tfexport.declarations.architectures.registry import register
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.declarations.with_past import OnnxSeq2SeqConfigWithPast

_FEATURES = ("default", "default-with-past", "speech2seq-lm", "speech2seq-lm-with-past")
_STRIDE = 2
"""Stride of each convolution of Speech2Text over the frames."""


class _Waveform(OnnxConfig):
    """An encoder of waveforms."""

    inputs = ports(input_values=AUDIO)

    @property
    def _caveats_(self) -> tuple[str, ...]:
        # transformers' Wav2Vec2FeatureExtractor documents this for models whose convolutions have layer normalisation.
        if getattr(self._config, "feat_extract_norm", "group") != "layer":
            return ()
        return (
            "takes no attention_mask, which this model requires for rows of unequal length: padding is read as silence. "
            "Rows of equal length and batches of one row are not affected.",
        )


@register("hubert", "default", "audio-classification", "ctc", classes={"ctc": {"tf": ("TFHubertForCTC",)}})
class HubertOnnxConfig(_Waveform):
    """HuBERT: wav2vec 2.0 trained on clusters of its own hidden units."""


@register("wav2vec2", "default", "audio-classification", "ctc", classes={"ctc": {"tf": ("TFWav2Vec2ForCTC",)}})
class Wav2Vec2OnnxConfig(_Waveform):
    """wav2vec 2.0: convolutions over the waveform, then a transformer."""


class _SpeechToText(OnnxSeq2SeqConfigWithPast):
    """An encoder of log-mel features and a decoder of text. With past, the decoder takes one token at a time."""

    def _with_decoder(self, inputs: OrderedDict[str, Any]) -> OrderedDict[str, Any]:
        inputs["decoder_input_ids"] = dict(ONE_TOKEN if self.use_past else DECODER_TEXT)
        if self.use_past:
            self.fill_with_past_key_values_(inputs, direction="inputs")
        return inputs


@register("speech-to-text", *_FEATURES)
class Speech2TextOnnxConfig(_SpeechToText):
    """Speech2Text: an encoder of log-mel features of any length and a decoder of text."""

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        return self._with_decoder(OrderedDict(input_features=dict(FRAMES), attention_mask=dict(FRAMES)))

    def _encoder_length_(self, inputs: Mapping[str, Any]) -> int:
        length = int(inputs["input_features"].shape[1])
        for _ in range(self._config.num_conv_layers):
            length = (length - 1) // _STRIDE + 1
        return length


@register("whisper", *_FEATURES, "audio-classification")
class WhisperOnnxConfig(_SpeechToText):
    """Whisper: an encoder of exactly 30 seconds of log-mel features and a decoder of text."""

    _encoder_states_ = PER_SAMPLE

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        inputs: OrderedDict[str, Any] = OrderedDict(input_features=dict(PER_SAMPLE))
        return inputs if self.task == "audio-classification" else self._with_decoder(inputs)

    def _encoder_length_(self, inputs: Mapping[str, Any]) -> int:
        return int(self._config.max_source_positions)
