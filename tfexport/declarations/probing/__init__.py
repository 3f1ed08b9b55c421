"""Find out what a model takes and returns when only its signature is known: run it on small inputs.

A signature says which axes are dynamic. It does not say which lengths the model takes there (a U-Net takes multiples of 16),
which axes of several inputs must be equally long, or how many ids an embedding has. The model itself is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfexport.checkpoints.signature import SignatureOptions, TensorSpec, check_names
from tfexport.declarations.from_signature import SignatureConfig
from tfexport.declarations.probing.contents import fill
from tfexport.declarations.probing.lengths import axes_that_run, lengths_that_run
from tfexport.declarations.probing.outputs import output_axes
from tfexport.declarations.probing.trial import Run, Shaped, Trial

__all__ = ["Run", "Shaped", "declare"]


def declare(
    specs: Sequence[TensorSpec], run: Run, options: SignatureOptions, source: str, *, careful: bool = False
) -> SignatureConfig:
    """Make the declaration of a model by running it.

    Args:
        specs: The inputs, with the user's shapes.
        run: Function that runs the model once.
        options: The user's names of axes.
        source: Name of the model, for messages.
        careful: Whether a bad value would end this process, so that values grow gradually and stay small where they may size
            a tensor.

    Raises:
        InputsError: The model fails on every shape that was tried, or the user names axes that it does not have.
    """
    trial = Trial(specs, run, options, source, careful)
    inputs, base, step = axes_that_run(trial)
    fill(trial, inputs, base)
    lengths, units = lengths_that_run(trial, inputs, base, step)
    outputs = output_axes(trial, inputs, lengths)
    check_names(options.axis_names, [*inputs, *outputs], "--axis-names (axis_names=...)")
    trial.check_names_of_axes({**inputs, **outputs})
    caveats = [
        f"the axis {label} must be a multiple of {unit}: the model fails on the other lengths that were tried."
        for label, unit in units.items()
        if unit > 1
    ]
    return SignatureConfig(specs, inputs, outputs, trial.tensors, lengths, caveats)
