"""What belongs to the whole process: its children, its streams, its environment, its locks, and what it imports when."""
