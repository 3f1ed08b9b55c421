"""The two tiers of the tests: ``make quick`` runs those that are not slow, ``make test`` runs all of them.

A test is slow when it exports models, runs a framework in a child process, or measures. A new test belongs to the quick
tier unless its file or folder is listed here, or it has the mark ``slow``. ``make quick`` must stay below three minutes on
two cores; it prints its slowest tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

TESTS = Path(__file__).parent

SLOW = (
    "backends",
    "benchmark/test_command.py",
    "benchmark/test_cuda.py",
    "benchmark/test_engines.py",
    "benchmark/test_run.py",
    "checkpoints/test_places.py::test_a_folder_whose_name_is_not_utf_8",
    "checkpoints/test_remote_code.py",
    "checkpoints/test_sources.py::test_a_new_kind_is_one_file",
    "checkpoints/test_sources.py::test_every_loader_exists",
    "checkpoints/test_transformers_api.py",
    "cli",
    "clients",
    "conformance/test_attack.py",
    "conformance/test_growth.py::test_descriptors_and_threads_do_not_grow",
    "conformance/test_matrix.py",
    "conformance/test_zoo_isolation.py",
    "conformance/test_zoo_run.py",
    "faults",
    "fuzz",
    "onnx",
    "parity/test_faults.py",
    "parity/test_files.py",
    "parity/test_parity.py",
    "parity/test_self_declaring.py",
    "pipeline/test_export.py",
    "pipeline/test_in_place.py::test_a_kill_at_every_step_is_recovered_from",
    "pipeline/test_in_place.py::test_thirty_kills_at_random_moments",
    "pipeline/test_in_place.py::test_two_exports_at_once",
    "pipeline/test_modalities.py",
    "pipeline/test_real_weights.py",
    "pipeline/test_reproducible.py",
    "pipeline/test_state.py",
    "pipeline/test_text_generation.py",
    "pipeline/test_threads.py",
    "pipeline/test_transforms.py",
    "processes/test_worker.py",
    "runtime/test_not_installed.py",
    "runtime/test_telemetry.py",
    "signature_models",
)
"""Folders and files whose tests are slow."""

QUICK = (
    "backends/test_tf_op_handlers.py",
    "checkpoints/test_transformers_api.py::test_no_other_module_imports_it",
    "checkpoints/test_transformers_api.py::test_the_package_is_imported_without_it",
    "cli/test_cli.py::test_an_export",
    "conformance/test_matrix.py::test_row[bert/default/pt]",
    "conformance/test_matrix.py::test_row[bert/default/tf]",
    "conformance/test_matrix.py::test_row[gpt2/causal-lm-with-past/tf]",
    "processes/test_worker.py::test_calls_in_one_other_process",
    "signature_models/test_trust.py::test_a_lambda[flat-keras-.keras]",
)
"""Tests among them that are quick all the same: they keep one export per backend in the quick tier."""


def is_slow(test: str) -> bool:
    """Return whether a test is slow, by its identifier relative to the folder of the tests."""
    return _is_in(test, SLOW) and not _is_in(test, QUICK)


def _is_in(test: str, entries: Iterable[str]) -> bool:
    return any(test == entry or test.startswith((f"{entry}/", f"{entry}::", f"{entry}[")) for entry in entries)
