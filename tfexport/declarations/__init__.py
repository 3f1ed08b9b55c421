"""Declarations: the inputs, outputs, named axes and tolerances of each model, by model type or by signature.

Importing a module of this package registers the declarations of all architectures, with the facts about their model types.
"""

from tfexport.declarations.architectures import declarations

__all__ = ["declarations"]
