"""Stand-in for pulumi-command 1.2.1: the resource types that the program uses."""
