"""The suites that this project runs on itself."""
