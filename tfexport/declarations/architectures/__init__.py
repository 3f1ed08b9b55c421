"""One declaration per model type, grouped by family. Importing this package registers them all.

A new declaration is one class in the module of its family, or in a module of its own: see CONTRIBUTING.md.
"""

from importlib import import_module
from pkgutil import iter_modules

from tfexport.declarations.architectures.axes import ports, text_inputs
from tfexport.declarations.architectures.registry import Declaration, declarations, register

for _module in iter_modules(__path__):  # every family registers its declarations when it is imported
    import_module(f"{__name__}.{_module.name}")

__all__ = ["Declaration", "declarations", "ports", "register", "text_inputs"]
