"""What reports share: pages, plots, numbers as text, and the packages that they require."""
