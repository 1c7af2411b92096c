"""Creates the parts of the cluster from the settings and the topology: the only code that knows all three."""
