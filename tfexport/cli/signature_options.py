"""Options of models that declare themselves, which several commands take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Trust = Annotated[bool, typer.Option("--trust", help="Run the code that the model holds: Lambda layers, SavedModels.")]
Signature = Annotated[
    str | None, typer.Option("--signature", help="Signature of a SavedModel; serving_default by default.")
]
Tag = Annotated[str | None, typer.Option("--tag", help="Tag of a SavedModel's graph; serve by default.")]
InputShape = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape", help="Of a Keras model or SavedModel: NAME=1,64,64,3; ? or a name for a dynamic axis."
    ),
]
AxisNames = Annotated[
    list[str] | None,
    typer.Option("--axis-names", help="Names of dynamic axes: NAME=batch,time, empty where the default will do."),
]
InputsAsNchw = Annotated[
    str, typer.Option("--inputs-as-nchw", help="Inputs, by commas, that the file takes with channels first.")
]
OutputsAsNchw = Annotated[
    str, typer.Option("--outputs-as-nchw", help="Outputs, by commas, that the file gives with channels first.")
]


def given(
    trust: bool,
    signature: str | None,
    tag: str | None,
    input_shape: list[str] | None,
    axis_names: list[str] | None,
    inputs_as_nchw: str = "",
    outputs_as_nchw: str = "",
) -> dict[str, Any]:
    """What `tfexport.checkpoints.signature.signature_options` takes.

    Raises:
        InputsError: a text of another form.
    """
    from tfexport.checkpoints.signature import by_name

    return {
        "trust": trust,
        "signature": signature,
        "tag": tag,
        "input_shapes": by_name(input_shape or (), "--input-shape"),
        "axis_names": by_name(axis_names or (), "--axis-names"),
        "inputs_as_nchw": [name for name in inputs_as_nchw.split(",") if name],
        "outputs_as_nchw": [name for name in outputs_as_nchw.split(",") if name],
    }
