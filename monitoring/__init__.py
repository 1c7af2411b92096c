"""Monitoring: the configuration of its services, and the readers of the metrics that they store."""
