"""Code that the reports share: pages, plots, numbers as text, and required packages."""
