"""Runs the text of a program, which is the argument."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    exec(compile(sys.argv[1], "<case>", "exec"), {"__name__": "case"})
