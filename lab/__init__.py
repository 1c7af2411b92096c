"""Run the whole system on one machine: hosts, images, the Pulumi CLI and its plugins."""
