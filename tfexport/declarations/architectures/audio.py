"""Speech encoders, and models that turn speech into text.

Waveforms go in as ``input_values`` alone, without a mask: what optimum's files take, and what the base models were
trained with. Log-mel features go in as ``input_features``.
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
"""Of each of Speech2Text's convolutions over the frames."""


class _Waveform(OnnxConfig):
    """An encoder of waveforms."""

    inputs = ports(input_values=AUDIO)

    @property
    def _caveats_(self) -> tuple[str, ...]:
        # transformers' Wav2Vec2FeatureExtractor says so of models whose convolutions are normalised layer by layer.
        if getattr(self._config, "feat_extract_norm", "group") != "layer":
            return ()
        return (
            "takes no attention_mask, which this model wants for rows of unequal length: padding is heard as silence. "
            "Rows of one length, and batches of one, are not touched by it.",
        )


@register("hubert", "default", "audio-classification", "ctc", classes={"ctc": {"tf": ("TFHubertForCTC",)}})
class HubertOnnxConfig(_Waveform):
    """HuBERT: wav2vec 2.0 trained on clusters of its own hidden units."""


@register("wav2vec2", "default", "audio-classification", "ctc", classes={"ctc": {"tf": ("TFWav2Vec2ForCTC",)}})
class Wav2Vec2OnnxConfig(_Waveform):
    """wav2vec 2.0: convolutions over the waveform, then a transformer."""


class _SpeechToText(OnnxSeq2SeqConfigWithPast):
    """An encoder of log-mel features, and a decoder of text, which takes one token at a time with past."""

    def _with_decoder(self, inputs: OrderedDict[str, Any]) -> OrderedDict[str, Any]:
        inputs["decoder_input_ids"] = dict(ONE_TOKEN if self.use_past else DECODER_TEXT)
        if self.use_past:
            self.fill_with_past_key_values_(inputs, direction="inputs")
        return inputs


@register("speech-to-text", *_FEATURES)
class Speech2TextOnnxConfig(_SpeechToText):
    """Speech2Text: an encoder of log-mel features of any length, and a decoder of text."""

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
    """Whisper: an encoder of log-mel features of exactly 30 seconds, and a decoder of text."""

    _encoder_states_ = PER_SAMPLE

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        inputs: OrderedDict[str, Any] = OrderedDict(input_features=dict(PER_SAMPLE))
        return inputs if self.task == "audio-classification" else self._with_decoder(inputs)  # the encoder alone

    def _encoder_length_(self, inputs: Mapping[str, Any]) -> int:
        return int(self._config.max_source_positions)
