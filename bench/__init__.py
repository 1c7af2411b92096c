"""Measurements; what must hold is in `tests/`."""
