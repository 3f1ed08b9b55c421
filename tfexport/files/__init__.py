"""Files: those of others are opened in one way, bounded and checked; those that we write replace nothing but files."""
