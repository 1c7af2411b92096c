"""The backup service: it copies files and metrics to a restic repository outside of the cluster, and restores them."""
