"""``torch.linspace`` as torch computes it.

torch counts the second half of the numbers down from the end. The TorchScript exporter of torch 2.13 counts all of them up
from the start, which rounds the last bit differently. Perceiver's Fourier features multiply that by hundreds: the logits
of a tiny model were off by 4e-4. Numbers that do not depend on the inputs become a constant, which torch itself computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("torch", ">=2.13,<2.14")


def specs() -> list[PatchingSpec]:
    """Return the patch, for every model."""
    return [PatchingSpec(torch, "linspace", partial(_linspace, torch.linspace))]


def _linspace(
    original: Callable[..., Any], start: Any, end: Any, steps: Any, *, dtype: Any = None, **options: Any
) -> Any:
    """Return evenly spaced numbers ``(steps,)``, float32 unless `dtype` is set; outside a trace, call torch's own function."""
    if not torch.jit.is_tracing():
        return original(start, end, steps, dtype=dtype, **options)
    if not any(isinstance(argument, torch.Tensor) for argument in (start, end, steps)):
        with _not_traced():
            return original(start, end, steps, dtype=dtype, **options)
    kind = torch.get_default_dtype() if dtype is None else dtype
    if options or not kind.is_floating_point:
        return original(start, end, steps, dtype=dtype, **options)
    count = torch.as_tensor(steps)
    first, last = torch.as_tensor(start, dtype=kind), torch.as_tensor(end, dtype=kind)
    index = torch.arange(steps)
    step = (last - first) / (count - 1).clamp(min=1).to(kind)
    up = first + step * index.to(kind)
    down = last - step * (count - 1 - index).to(kind)
    return torch.where((index == 0) | (index < count // 2), up, down)


@contextmanager
def _not_traced() -> Iterator[None]:
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)
