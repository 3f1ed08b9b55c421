"""Whether a backend works here: each module exports one small model, in a process of its own."""

NOT_APPLIED = "patch not applied: "
"""Beginning of each line on the standard output of a probe that names a patch for other versions than the installed ones."""
