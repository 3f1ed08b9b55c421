"""What lies on disk, which framework it is of, and its preprocessor. Nothing is loaded."""
