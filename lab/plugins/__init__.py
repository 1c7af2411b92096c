"""Stand-ins for two Pulumi provider plugins, for machines where the real ones cannot be had.

They cover exactly the resource types that the program uses, and take the real ones' decisions: which inputs exist,
what a change of each means, what a refresh finds. What they leave out is waiting: the real docker provider sleeps
two seconds and more around each service.
"""
