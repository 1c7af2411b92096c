"""Measurements. Requirements are checked in `tests/`."""
