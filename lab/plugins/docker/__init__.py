"""Stand-in for pulumi-docker 5.2.0: the resource types that the program uses."""
