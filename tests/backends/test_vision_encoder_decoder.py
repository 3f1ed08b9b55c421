"""Vision encoder-decoders with several encoders and decoders, and in two parts as in ``transformers.onnx``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tfexport
from conformance.zoo.models import tiny_model
from conformance.zoo.tiny import tiny_config
from conformance.zoo.tiny.vision_language import vision_encoder_decoder
from tfexport.backends import get_backend
from tfexport.declarations.features import config_factory
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.pipeline.conversion import run_example
from tfexport.validation import Reference, Tolerance, standard_cases, validate_file

FRAMEWORKS = ("pt", "tf")


def _check(model: Any, declaration: OnnxConfig, framework: Any, file: Path) -> None:
    named = tfexport.export(None, model, declaration, 18, file)
    assert named == (list(declaration.inputs), list(declaration.outputs))
    reference = Reference(get_backend(framework), model, declaration)
    tolerance = Tolerance(declaration.atol_for_validation)
    contract = run_example(reference).contract
    report = validate_file(file, reference, standard_cases(declaration), tolerance, contract=contract)
    assert report.passed, report.problems


def _model(framework: str, config: Any) -> Any:
    return tiny_model(framework, f"{'TF' if framework == 'tf' else ''}VisionEncoderDecoderModel", config)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("decoder", ["bert", "roberta"])
def test_other_decoders(framework: str, decoder: str, tmp_path: Path) -> None:
    config = vision_encoder_decoder(decoder=decoder)
    declaration = config_factory("vision-encoder-decoder", "vision2seq-lm")(config)
    _check(_model(framework, config), declaration, framework, tmp_path / "model.onnx")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_in_two_parts(framework: str, tmp_path: Path) -> None:
    config = tiny_config("vision-encoder-decoder", "vision2seq-lm")
    model = _model(framework, config)
    whole: Any = config_factory("vision-encoder-decoder", "vision2seq-lm")(config)
    _check(model.encoder, whole.get_encoder_config(config.encoder), framework, tmp_path / "encoder.onnx")
    decoder = whole.get_decoder_config(config.encoder, config.decoder, "causal-lm")
    assert list(decoder.inputs) == ["input_ids", "attention_mask", "encoder_hidden_states"]
    _check(model.decoder, decoder, framework, tmp_path / "decoder.onnx")
