"""How many connections to PostgreSQL each worker of the file service may open, and how many that is in all.

The numbers change in steps, so that scaling the service within a step restarts nothing.
"""

WORKERS = 2
"""Worker processes of a replica."""

_MOST_OF_A_WORKER = 4
_IN_ALL = 64
_SMALLEST_STEP = 8


def of_a_worker(replicas: int) -> int:
    """Return the most connections that one worker may open, so that all together need no more than `in_all` says."""
    return max(1, min(_MOST_OF_A_WORKER, _IN_ALL // (_step(replicas) * WORKERS)))


def in_all(replicas: int) -> int:
    """Return how many connections this number of replicas may open in all, even during an update."""
    return _step(replicas) * WORKERS * of_a_worker(replicas)


def _step(replicas: int) -> int:
    """Return a power of two that is greater than the number of replicas, of which an update runs one more."""
    return max(_SMALLEST_STEP, 1 << replicas.bit_length())
