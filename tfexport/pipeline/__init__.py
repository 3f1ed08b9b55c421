"""From a checkpoint to a validated, published directory."""
