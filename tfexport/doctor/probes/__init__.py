"""Whether a backend works here: each module exports one small model, in a process of its own."""
