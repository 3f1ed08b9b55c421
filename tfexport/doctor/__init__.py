"""What is installed, what works, and what is known to break."""
