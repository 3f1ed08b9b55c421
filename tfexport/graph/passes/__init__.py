"""Passes over a graph before it is written: one file each."""
