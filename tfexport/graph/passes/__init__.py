"""Passes that change a graph before it is written: one file per pass. `levels` says which passes make which level."""
