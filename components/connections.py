"""How many connections to PostgreSQL the file service may open, and how much memory they take.

The numbers change in steps, so that scaling the service within a step restarts nothing.
"""

WORKERS = 2
"""Worker processes of a replica."""

_SMALLEST_STEP = 5
_MANY_REPLICAS = 15
_PER_WORKER = 3
FOR_BACKUP = 1
"""The most connections that one process of the backup service may open for its work."""

_BACKUPS = 2  # processes: the service's own backup, and what somebody has begun by hand
_PROBES = 1  # the connection with which each worker looks at each host
_FIRST_MIB = 73  # PostgreSQL and Patroni before the first connection, without the cache of files
_MIB_EACH = 1.79  # of a connection under load, with 0.14 for TLS, measured with a million names


def per_worker(replicas: int) -> int:
    """Return the most connections that one worker may open for its requests.

    With many replicas it is one. More would only wait for each other in the database.
    """
    return _PER_WORKER if _step(replicas) <= _MANY_REPLICAS else 1


def in_use(replicas: int) -> int:
    """Return the most connections that this number of replicas has open, even during an update."""
    return _workers(replicas) * (per_worker(replicas) + _PROBES)


def allowed(replicas: int) -> int:
    """Return how many connections PostgreSQL must allow.

    While the standby is away, a commit may wait in PostgreSQL after its worker has given it up and opened another
    connection. Workers begin no write without a standby, so this happens once to each connection.
    """
    backups = _BACKUPS * (2 * FOR_BACKUP + _PROBES)
    return in_use(replicas) + _workers(replicas) * per_worker(replicas) + backups


def memory(replicas: int) -> int:
    """Return the memory in MiB that PostgreSQL needs with all connections of replicas in use.

    The few connections of a backup are left out. They fit into what is counted for the additional replica that runs
    during an update.
    """
    return round(_FIRST_MIB + _MIB_EACH * in_use(replicas))


def _workers(replicas: int) -> int:
    return WORKERS * (_step(replicas) + 1)  # an update runs one replica more


def _step(replicas: int) -> int:
    """Return the largest number of replicas in the step: 5, 7, 15, 31 and so on. An update makes one more of them."""
    return _SMALLEST_STEP if replicas <= _SMALLEST_STEP else (1 << replicas.bit_length()) - 1
