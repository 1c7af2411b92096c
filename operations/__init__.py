"""Repairs that `pulumi up` alone cannot do."""
