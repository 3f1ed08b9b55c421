"""One declaration per model type, grouped by family. Importing this package registers them all.

To add one, see CONTRIBUTING.md: a class in the module of its family, and nothing else.
"""

from tfexport.architectures import text_decoders, text_encoders
from tfexport.architectures.registry import Declaration, declarations, register, text_inputs

__all__ = ["Declaration", "declarations", "register", "text_decoders", "text_encoders", "text_inputs"]
