"""Parity of every declared model type and feature."""
