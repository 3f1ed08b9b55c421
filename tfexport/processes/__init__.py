"""State of the whole process: its children, its streams, its environment variables, its lock and its lazy imports."""
