"""The parts of the cluster, one Pulumi component a file; none of them reads the stack's configuration."""
