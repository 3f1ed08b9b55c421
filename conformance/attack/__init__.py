"""Hostile inputs and faults against the command line.

    make attack                                     # all cases: one line per case, and a total
    python -m conformance.attack --list             # their names
    python -m conformance.attack --only hdf5 index  # cases whose name holds one of these texts
    python -m conformance.attack --quick            # the cases that `make test` runs (tests/conformance/test_attack.py)
    python -m conformance.attack --failed           # the cases that failed in the last run of all

A case prepares a *sandbox*, a folder of its own with a hostile input in it, and names one command (`commands`). The command
runs in a fork of a process that has the frameworks imported (`zygote`), which takes less than a second, or in a new process
where the start itself is tried. Then the case is held to what it expects (`expectations`):

- the exit code is the expected one, and a refusal is exactly one line ``error: ...``, typed, without a traceback;
- nothing goes to the terminal that a terminal would act on;
- the target, the input and the working folder are as they were, and nothing is left beside the target or in TMPDIR;
- no code of the input has run (it would write a *canary*), and no byte of the user's other files (a *secret*) is in an output;
- the command keeps within its time and memory, and leaves no process behind.

The cases lie in `cases`, one module per area. Where a case exists in several forms, they are generated: a walk through a real
document (a manifest, a configuration, a results file) replaces the value at every place by values of the wrong type and size
(`documents`). The sound models and exports that cases change are made once per run (`seeds`).

Cases about mounted file systems, other users and namespaces require root on Linux; elsewhere they are skipped.
"""
