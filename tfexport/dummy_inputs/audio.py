"""Dummy audio: a tone with noise, at the feature extractor's own sampling rate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tfexport.dummy_inputs.request import Request, first_of, part_of
from tfexport.dummy_inputs.sizes import DEFAULT_SAMPLING_RATE, FRAMES_PER_SECOND

_NOISE = 0.1
_WINDOW_SECONDS = 0.025
"""Audio per frame of log-mel features. The last samples are shorter than a window, so that no frame starts in them."""


def sampling_rate(preprocessor: Any) -> int:
    """Return the feature extractor's sampling rate, in hertz; 16 kHz without one."""
    extractor = part_of(preprocessor, "feature_extractor", "sampling_rate")
    return int(getattr(extractor, "sampling_rate", None) or DEFAULT_SAMPLING_RATE)


def waveform(request: Request) -> np.ndarray:
    """Return a tone with noise, float32 ``(batch, samples)``. The phase differs from row to row."""
    sizes = request.sizes
    time = np.arange(sizes.of("samples")) / (sizes.sampling_rate or DEFAULT_SAMPLING_RATE)
    phase = request.random.uniform(0, 2 * np.pi, size=(sizes.batch, 1))
    tone = np.sin(2 * np.pi * sizes.frequency * time + phase)
    audio: np.ndarray = tone + request.random.normal(0, _NOISE, size=tone.shape)
    return audio.astype(np.float32)


def _input_values(request: Request) -> np.ndarray:
    """Return samples, float32 ``(batch, samples)``."""
    extractor = part_of(request.preprocessor, "feature_extractor", "sampling_rate")
    audio = waveform(request)
    return audio if extractor is None else _extracted(extractor, audio, "input_values")


def _input_features(request: Request) -> np.ndarray:
    """Return log-mel features, float32.

    Their shape is ``(batch, frames, mel bins)``, and ``(batch, mel bins, frames)`` where the number of frames is fixed.
    """
    any_length = "frames" in request.axes.values()
    extractor = part_of(request.preprocessor, "feature_extractor", "sampling_rate")
    if extractor is not None:
        if not any_length:  # the extractor pads to the length that the model requires
            return _extracted(extractor, waveform(request), "input_features")
        frames = request.sizes.of("frames")
        longer = replace(request.sizes, seconds=frames / FRAMES_PER_SECOND + _WINDOW_SECONDS)
        return _extracted(extractor, waveform(replace(request, sizes=longer)), "input_features")[:, :frames]
    batch = request.sizes.batch
    bins = int(first_of(request.config, "num_mel_bins", "input_feat_per_channel"))
    if any_length:
        shape = (batch, request.sizes.of("frames"), bins)
    else:
        # An encoder of a fixed length (Whisper's) has one position per two frames, because its convolution has a stride of 2.
        shape = (batch, bins, 2 * int(request.config.max_source_positions))
    return request.random.normal(size=shape).astype(np.float32)


def _extracted(extractor: Any, audio: np.ndarray, name: str) -> np.ndarray:
    made = extractor(list(audio), sampling_rate=extractor.sampling_rate, return_tensors="np")
    return np.asarray(made[name], np.float32)


GENERATORS = {"input_values": _input_values, "input_features": _input_features}
