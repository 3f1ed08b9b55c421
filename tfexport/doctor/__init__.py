"""Report of the installed packages, of their functions that work, and of versions that are known to break."""
