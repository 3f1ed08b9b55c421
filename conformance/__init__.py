"""What this project checks itself with: every declared row, parity, plain models beside other tools, real weights."""
