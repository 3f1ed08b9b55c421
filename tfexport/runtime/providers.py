"""Sessions of ONNX Runtime on the execution provider that was asked for, and on no other one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfexport.errors import ProviderError
from tfexport.runtime.errors import import_runtime
from tfexport.runtime.names import CPU, CUDA, provider_name
from tfexport.runtime.node_assignment import NodeAssignment, assignment_of
from tfexport.runtime.sessions import session_options


def full_name(provider: str) -> str:
    """Return ONNX Runtime's name of a provider that the installed ONNX Runtime has.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime is not installed.
        ProviderError: the installed ONNX Runtime does not have the provider.
    """
    return provider_name(provider, import_runtime().get_available_providers())


def check_providers(providers: Iterable[str]) -> None:
    """Refuse providers that are not available, before anything is run.

    Raises:
        RuntimeNotInstalledError: ONNX Runtime is not installed.
        ProviderError: the installed ONNX Runtime does not have one of them.
    """
    import_runtime()
    for provider in providers:
        full_name(provider)


def open_on_provider(path: Path, provider: str) -> tuple[Any, NodeAssignment]:
    """Open a file in a session on a provider, with all optimisations and without TensorFloat-32.

    Args:
        path: the ONNX file.
        provider: the user's name of the provider: ``cuda``.

    Raises:
        ProviderError: the provider is not available, or does not run the file.
        PlacementError: nodes that compute fell back to the CPU.
        one of `tfexport.runtime.errors.runtime_errors`: the file does not load.
    """
    asked = full_name(provider)
    return session_on(path, asked, session_options(), {"use_tf32": "0"} if asked == CUDA else {})


def session_on(path: Path, asked: str, options: Any, provider_options: Mapping[str, str]) -> tuple[Any, NodeAssignment]:
    """Open a file in a session on one provider, and return the session with the provider of each node.

    Args:
        path: the ONNX file.
        asked: ONNX Runtime's name of the provider.
        options: options of the session, to which an entry is added.
        provider_options: options of the provider.

    Raises:
        ProviderError: the session runs on another provider.
        PlacementError: nodes that compute fell back to the CPU.
    """
    runtime = import_runtime()
    if asked == CUDA:
        runtime.preload_dlls()  # CUDA's and cuDNN's, where they are installed as Python packages
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    providers: list[Any] = [(asked, dict(provider_options))]
    if asked != CPU:
        providers.append(CPU)  # for shapes, which ONNX Runtime keeps there on purpose; `check` refuses any other node
    session = runtime.InferenceSession(str(path), options, providers=providers)
    session.disable_fallback()
    used = session.get_providers()[0]
    if used != asked:
        raise ProviderError(f"{asked} was asked for and could not be set up: the session runs on {used}.")
    assignment = assignment_of(asked, session.get_provider_graph_assignment_info())
    assignment.check()
    return session, assignment
