"""The checks of the project as a whole: every declared row, parity, models that declare themselves, and real weights."""
