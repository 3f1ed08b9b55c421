"""``python -m tfexport``."""

from tfexport.cli import app

if __name__ == "__main__":
    app(prog_name="tfexport")
