"""The parts of the cluster, one Pulumi component per file. No component reads the stack's configuration."""
