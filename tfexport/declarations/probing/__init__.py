"""Find out what a model takes and gives, where nothing but its signature is known: run it, and look.

A signature says which axes are dynamic, not which lengths a model takes there (a U-Net takes multiples of 16), nor
which axes of several inputs must be as long as each other, nor how many ids an embedding has. All that is asked here of
the model itself, with inputs as small as it takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfexport.checkpoints.signature import SignatureOptions, TensorSpec, check_names
from tfexport.declarations.from_signature import SignatureConfig
from tfexport.declarations.probing.contents import fill
from tfexport.declarations.probing.lengths import axes_that_run, lengths_that_run
from tfexport.declarations.probing.outputs import output_axes
from tfexport.declarations.probing.trial import Run, Trial

__all__ = ["Run", "declare"]


def declare(specs: Sequence[TensorSpec], run: Run, options: SignatureOptions, source: str) -> SignatureConfig:
    """The declaration of a model.

    Args:
        specs: its inputs, with the shapes that a user gave.
        run: runs it.
        options: names of axes that a user gave.
        source: the model's name, for messages.

    Raises:
        InputsError: it fails on every shape that was tried, or a name is of nothing that it has.
    """
    trial = Trial(specs, run, options, source)
    inputs, base, step = axes_that_run(trial)
    fill(trial, inputs, base)
    lengths, units = lengths_that_run(trial, inputs, base, step)
    outputs = output_axes(trial, inputs, lengths)
    check_names(options.axis_names, [*inputs, *outputs], "--axis-names (axis_names=...)")
    trial.check_names_of_axes({**inputs, **outputs})
    caveats = [
        f"the axis {label} takes multiples of {unit} only: so it was tried, and the model fails on other lengths."
        for label, unit in units.items()
        if unit > 1
    ]
    return SignatureConfig(specs, inputs, outputs, trial.tensors, lengths, caveats)
