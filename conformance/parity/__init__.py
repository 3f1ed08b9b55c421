"""Parity of every model type that has classes in both frameworks."""
