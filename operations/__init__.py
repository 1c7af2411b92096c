"""Commands for a running cluster, for what `pulumi up` alone cannot do."""
