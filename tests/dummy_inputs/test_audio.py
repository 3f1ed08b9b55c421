"""Dummy audio: lengths and sampling rates, with and without a feature extractor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from transformers import (
    Speech2TextFeatureExtractor,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from conformance.zoo.tiny import tiny_config
from tfexport.declarations.architectures.audio import Wav2Vec2OnnxConfig
from tfexport.declarations.features import config_factory
from tfexport.validation import case_inputs, standard_cases


def _declared(model_type: str, feature: str = "default", **overrides: Any) -> Any:
    config = tiny_config(model_type, feature)
    for name, value in overrides.items():
        setattr(config, name, value)
    return config_factory(model_type, feature)(config)


def _shapes(arrays: Any) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}


@pytest.mark.parametrize("model_type", ["hubert", "wav2vec2"])
def test_without_an_extractor_audio_is_sampled_at_16_khz(model_type: str) -> None:
    config = _declared(model_type)
    assert _shapes(config.generate_dummy_inputs(None)) == {"input_values": (2, 16_000)}
    made = config.generate_dummy_inputs(None, batch_size=3, time_duration=0.5, sampling_rate=8_000)
    assert _shapes(made) == {"input_values": (3, 4_000)}
    assert made["input_values"].dtype == np.float32
    assert not np.array_equal(made["input_values"][0], made["input_values"][1])


def test_an_extractor_names_its_own_sampling_rate_and_normalises() -> None:
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=11_025, do_normalize=True)
    made = _declared("wav2vec2").generate_dummy_inputs(extractor, batch_size=3, time_duration=0.2)
    assert _shapes(made) == {"input_values": (3, 2_205)}
    np.testing.assert_allclose(made["input_values"].mean(axis=1), 0, atol=1e-3)
    np.testing.assert_allclose(made["input_values"].std(axis=1), 1, atol=1e-3)


def test_the_tone_has_the_frequency_asked_for() -> None:
    made = _declared("wav2vec2").generate_dummy_inputs(None, frequency=500)["input_values"]
    assert int(np.abs(np.fft.rfft(made[0])).argmax()) == 500  # hertz, of one second


@pytest.mark.parametrize("bins", [14, 20])
def test_whisper_takes_as_many_frames_as_it_has_positions(bins: int) -> None:
    config = _declared("whisper", num_mel_bins=bins, max_source_positions=50)
    made = config.generate_dummy_inputs(None, batch_size=3, seq_length=5)
    assert _shapes(made) == {"input_features": (3, bins, 100), "decoder_input_ids": (3, 5)}
    extractor = WhisperFeatureExtractor(feature_size=bins, chunk_length=1)
    for seconds in (0.4, 1.0, 2.0):  # padded and cut to one second
        made = config.generate_dummy_inputs(extractor, batch_size=3, seq_length=5, time_duration=seconds)
        assert _shapes(made) == {"input_features": (3, bins, 100), "decoder_input_ids": (3, 5)}
        assert np.isfinite(made["input_features"]).all()
        assert np.ptp(made["input_features"]) > 0.1


@pytest.mark.parametrize("seconds", [0.5, 0.73, 1.0, 1.5])
def test_frames_have_a_mask_of_their_length(seconds: float) -> None:
    config = _declared("speech-to-text")
    extractor = Speech2TextFeatureExtractor(feature_size=14, num_mel_bins=14)
    for preprocessor in (None, extractor):
        made = config.generate_dummy_inputs(preprocessor, batch_size=2, seq_length=4, time_duration=seconds)
        frames = round(100 * seconds)
        assert _shapes(made) == {
            "input_features": (2, frames, 14),
            "attention_mask": (2, frames),
            "decoder_input_ids": (2, 4),
        }


def test_cases_vary_the_length() -> None:
    config = _declared("wav2vec2")
    lengths = {case_inputs(config, None, case, "pt")["input_values"].shape[1] for case in standard_cases(config)}
    assert len(lengths) >= 3
    assert 16_000 not in lengths


def test_a_model_that_wants_a_mask_says_what_it_does_without() -> None:
    assert not Wav2Vec2OnnxConfig(Wav2Vec2Config(feat_extract_norm="group"))._caveats_
    (caveat,) = Wav2Vec2OnnxConfig(Wav2Vec2Config(feat_extract_norm="layer"))._caveats_
    assert "attention_mask" in caveat
