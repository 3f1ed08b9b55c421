"""Speech encoders, and models that turn speech into text.

Waveforms go in as ``input_values`` alone, without a mask: what optimum's files take, and what the base models were
trained with. Log-mel features go in as ``input_features``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from tfexport.architectures.ports import AUDIO, DECODER_TEXT, FRAMES, PER_SAMPLE, ports
from tfexport.architectures.registry import register
from tfexport.onnx_config import OnnxConfig
from tfexport.onnx_config_with_past import OnnxSeq2SeqConfigWithPast


class _Waveform(OnnxConfig):
    """An encoder of waveforms."""

    inputs = ports(input_values=AUDIO)

    @property
    def caveats(self) -> tuple[str, ...]:
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


@register("speech-to-text", "default", "speech2seq-lm")
class Speech2TextOnnxConfig(OnnxSeq2SeqConfigWithPast):
    """Speech2Text: an encoder of log-mel features of any length, and a decoder of text."""

    inputs = ports(input_features=FRAMES, attention_mask=FRAMES, decoder_input_ids=DECODER_TEXT)


@register("whisper", "default", "speech2seq-lm", "audio-classification")
class WhisperOnnxConfig(OnnxSeq2SeqConfigWithPast):
    """Whisper: an encoder of log-mel features of exactly 30 seconds, and a decoder of text."""

    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        inputs = OrderedDict(input_features=dict(PER_SAMPLE))
        if self.task != "audio-classification":  # the encoder alone
            inputs["decoder_input_ids"] = dict(DECODER_TEXT)
        return inputs
