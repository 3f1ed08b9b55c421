"""Sessions of ONNX Runtime on the execution provider that was asked for, and on no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfexport.errors import ProviderError
from tfexport.runtime.errors import import_runtime
from tfexport.runtime.names import CPU, CUDA, provider_name
from tfexport.runtime.node_assignment import Placement, placement_of
from tfexport.runtime.sessions import FULL, session_options


def check_providers(providers: Iterable[str]) -> None:
    """Refuse providers that cannot be had before anything is run.

    Raises:
        ProviderError: the installed ONNX Runtime does not offer one.
    """
    onnxruntime = import_runtime()
    for provider in providers:
        provider_name(provider, onnxruntime.get_available_providers())


def open_placed(path: Path, provider: str) -> tuple[Any, Placement]:
    """An ONNX Runtime session on the provider asked for, with all optimisations, and without TensorFloat-32.

    Args:
        path: the ONNX file.
        provider: as the user calls it: ``cuda``.

    Raises:
        ProviderError: the provider cannot be had, or does not run the file.
        PlacementError: nodes that compute fell back to the CPU.
        one of `tfexport.runtime.errors.runtime_errors`: the file does not load.
    """
    onnxruntime = import_runtime()
    asked = provider_name(provider, onnxruntime.get_available_providers())
    return placed_session(path, asked, session_options(FULL), {"use_tf32": "0"} if asked == CUDA else {})


def placed_session(path: Path, asked: str, options: Any, provider_options: Mapping[str, str]) -> tuple[Any, Placement]:
    """A session on one provider and on no other, and where it computes.

    Args:
        path: the ONNX file.
        asked: the provider, in ONNX Runtime's name.
        options: of the session; an entry is added to them.
        provider_options: the provider's own.

    Raises:
        ProviderError: it runs on another one.
        PlacementError: nodes that compute fell back to the CPU.
    """
    onnxruntime = import_runtime()
    if asked == CUDA:
        onnxruntime.preload_dlls()  # CUDA's and cuDNN's, where they are installed as Python packages
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    providers: list[Any] = [(asked, dict(provider_options))]
    if asked != CPU:
        providers.append(CPU)  # for shapes, which ONNX Runtime keeps there on purpose; the placement proves the rest
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    session.disable_fallback()
    used = session.get_providers()[0]
    if used != asked:
        raise ProviderError(f"{asked} was asked for and could not be set up: the session runs on {used}.")
    found = placement_of(asked, session.get_provider_graph_assignment_info())
    found.check()
    return session, found
