"""Shared by all tests: no network, no noise, the tiers, checkpoints made once per process, and the command line."""

from __future__ import annotations

import os
import signal

# Before anything imports a framework.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
if "PYTEST_XDIST_WORKER" in os.environ:
    for _threads in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(_threads, "1")  # one core per worker takes a third less time than sharing both

from collections.abc import Callable
from pathlib import Path

import pytest

from conformance import real_weights
from tests import support
from tests.tiers import TESTS, is_slow


def pytest_configure() -> None:
    """Take signals as usual: those that nohup or a shell ignores would be ignored in children too."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that `make quick` leaves out."""
    for item in items:
        file = item.path.relative_to(TESTS).as_posix()
        if is_slow(f"{file}::{item.nodeid.partition('::')[2]}"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., support.Ran]:
    """Return a function that runs the command line in this process and captures its file descriptors."""

    def run(*arguments: str | Path) -> support.Ran:
        capfd.readouterr()
        code = support.run_in_process(arguments)
        out, err = capfd.readouterr()
        return support.Ran(code, out, err)

    return run


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the base BERT of `conformance.zoo.tiny` in each form of checkpoint: ``h5``, ``tf-safetensors``, ``pt``."""
    return support.checkpoints(tmp_path_factory.mktemp("bert"), "bert", "BertModel")


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a BERT with a classification head in each form of checkpoint."""
    return support.checkpoints(tmp_path_factory.mktemp("classifier"), "bert", "BertForSequenceClassification")


@pytest.fixture(scope="session")
def masked_lm(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a BERT with a language head, and so without a pooler, in each form of checkpoint."""
    return support.checkpoints(tmp_path_factory.mktemp("masked_lm"), "bert", "BertForMaskedLM")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Return the trained MiniLM sentence encoder: PyTorch weights and a tokenizer."""
    return real_weights.fetch(real_weights.MINILM)


@pytest.fixture(scope="session")
def minilm_tf() -> Path:
    """Return MiniLM as a TensorFlow checkpoint."""
    return real_weights.tensorflow_checkpoint(real_weights.MINILM, "TFBertModel")


@pytest.fixture(scope="session")
def albert() -> Path:
    """Return the trained ALBERT of rxnmapper: PyTorch weights, without a tokenizer that AutoTokenizer loads."""
    return real_weights.fetch(real_weights.ALBERT)


@pytest.fixture(scope="session")
def albert_tf() -> Path:
    """Return ALBERT as a TensorFlow checkpoint."""
    return real_weights.tensorflow_checkpoint(real_weights.ALBERT, "TFAlbertForMaskedLM")
