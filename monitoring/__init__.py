"""Monitoring: what its services read, and what reads the metrics that they keep."""
