"""Names of execution providers: ONNX Runtime's, and the short ones that users write."""

from __future__ import annotations

from collections.abc import Iterable

from tfexport.errors import ProviderError

_SUFFIX = "ExecutionProvider"
CPU, CUDA = f"CPU{_SUFFIX}", f"CUDA{_SUFFIX}"


def provider_name(name: str, available: Iterable[str]) -> str:
    """Return ONNX Runtime's name of a provider, from the user's: ``cuda`` or ``CUDAExecutionProvider``, in any case.

    Args:
        name: the user's name.
        available: the providers of the installed ONNX Runtime, by its own names.

    Raises:
        ProviderError: the installed ONNX Runtime does not have the provider.
    """
    offered = tuple(available)
    wanted = name.lower().removesuffix(_SUFFIX.lower())
    for each in offered:
        if each.lower().removesuffix(_SUFFIX.lower()) == wanted:
            return each
    raise ProviderError(
        f"the provider {name!r} was asked for, and the installed ONNX Runtime offers "
        f"{', '.join(map(short_name, offered))}. Nothing is run on another one in its place"
        + (": install tfexport[gpu], in place of tfexport[cpu], on a machine with a GPU." if wanted == "cuda" else ".")
    )


def short_name(provider: str) -> str:
    """Return the user's name of a provider: ``cpu``."""
    return provider.removesuffix(_SUFFIX).lower()
