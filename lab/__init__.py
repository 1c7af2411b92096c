"""Runs the whole system on one machine: hosts, images, the Pulumi engine and its plugins."""
