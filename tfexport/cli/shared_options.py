"""Options on how a model is read, which several commands take, and how their texts are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tfexport.checkpoints.signature import by_name
from tfexport.keywords import Reader, read_keywords

ModelType = Annotated[
    str | None, typer.Option("--model-type", help="Model type, for a config.json that does not name one.")
]
Trust = Annotated[bool, typer.Option("--trust", help="Run the code that the model holds: Lambda layers, SavedModels.")]
Signature = Annotated[
    str | None, typer.Option("--signature", help="Signature of a SavedModel; serving_default by default.")
]
Tag = Annotated[str | None, typer.Option("--tag", help="Tag of a SavedModel's graph; serve by default.")]
InputShapes = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="NAME=SHAPE",
        help="Shape of an input of a Keras model or SavedModel: NAME=1,64,64,3, with ? or a name for a dynamic axis.",
    ),
]
AxisNames = Annotated[
    list[str] | None,
    typer.Option(
        "--axis-names",
        metavar="NAME=NAMES",
        help="Names of dynamic axes: NAME=batch,time; an empty entry keeps the default name.",
    ),
]
InputsAsNchw = Annotated[
    str, typer.Option("--inputs-as-nchw", help="Inputs that the file accepts with channels first, separated by commas.")
]
OutputsAsNchw = Annotated[
    str,
    typer.Option("--outputs-as-nchw", help="Outputs that the file returns with channels first, separated by commas."),
]


def keywords(parameters: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return those parameters of a command that are keywords of a function, with their texts read.

    Args:
        parameters: Values of the command's parameters, by name.
        known: Keywords of the function.

    Raises:
        InputsError: A text has another form than NAME=FIRST,SECOND,...
    """
    return read_keywords({name: value for name, value in parameters.items() if name in known}, _READERS)


def _shapes(name: str, texts: list[str] | None) -> dict[str, list[str]]:
    return by_name(texts or (), "--input-shape")


def _axis_names(name: str, texts: list[str] | None) -> dict[str, list[str]]:
    return by_name(texts or (), "--axis-names")


def _names(name: str, text: str) -> list[str]:
    return [each for each in text.split(",") if each]


_READERS: dict[str, Reader] = {
    "input_shapes": _shapes,
    "axis_names": _axis_names,
    "inputs_as_nchw": _names,
    "outputs_as_nchw": _names,
}
"""Functions that read the text of an option, by the keyword's name; the other values are taken as they are."""
