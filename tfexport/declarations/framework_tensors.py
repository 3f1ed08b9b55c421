"""Dummy inputs as a framework's tensors, for ``generate_dummy_inputs(framework=...)``.

The backends are above the declarations, so this module imports none of them. It knows the package of a framework and one
function in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from tfexport.checkpoints.framework import EXTRAS, Framework, check_framework
from tfexport.errors import FrameworkNotInstalledError
from tfexport.processes.locks import exclusive

_CONVERTERS: dict[Framework, tuple[str, str]] = {"pt": ("torch", "from_numpy"), "tf": ("tensorflow", "constant")}
"""Package of each framework, and its function that converts a NumPy array to a tensor."""


@exclusive
def to_framework(arrays: Mapping[str, Any], framework: Any) -> Mapping[str, Any]:
    """Return NumPy arrays, in nested lists and tuples too, as tensors of a framework; unchanged for None or ``"np"``.

    Raises:
        UnknownFrameworkError: tfexport does not know the framework.
        FrameworkNotInstalledError: the framework is not installed.
    """
    if framework is None or getattr(framework, "value", framework) == "np":
        return arrays
    chosen = check_framework(framework)
    package, function = _CONVERTERS[chosen]
    if find_spec(package) is None:
        raise FrameworkNotInstalledError(
            f"framework={chosen!r} was passed, and {package} is not installed. Install {EXTRAS[chosen]}."
        )
    convert = getattr(import_module(package), function)
    return {name: _map_arrays(value, convert) for name, value in arrays.items()}


def _map_arrays(value: Any, function: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_map_arrays(item, function) for item in value)
    return function(value) if isinstance(value, np.ndarray) else value
