"""Measurements, side by side in one run: `make bench`. Ratios are what to look at; absolute times drift with the machine."""
