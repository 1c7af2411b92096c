"""Commands for a running cluster, and repairs that `pulumi up` alone cannot do."""
