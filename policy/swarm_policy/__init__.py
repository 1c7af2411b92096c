"""Rules for the resources of a swarm, for this program and for others that use its components."""
