"""The user or group of every service. No two share one, so none can read another's secrets, data or processes.

The kernel lets a process look into another one (`/proc/PID/root`, its memory, its open files) only if both have the
same user *and* the same group, or if it may trace processes, which no service may. A number needs no entry in an
image's /etc/passwd unless the comment on it says so.
"""

FILE_SERVICE = 10001
POSTGRES = 10002
"""PostgreSQL runs only as a user with a name, so the image's /etc/passwd has an entry for this one."""
ETCD = 10003
ALERTMANAGER = 10004
EDGE = 10005
INFLUXDB = {"vms": 10006, "containers": 10007}
"""By the name of the database."""
NODE_EXPORTER = 10008
OBJECT_STORE_MASTER = 10009
OBJECT_STORE_VOLUME = 10010
PROMETHEUS = 10011
BACKUP = 10015
GRAFANA = 472
"""The image's own user: only this one may read all of the image's files."""

CADVISOR_GROUP = 10012
CONTAINER_API_GROUP = 10013
DOCKER_API_GROUP = 10014
"""Groups of the services that must run as root, without its capabilities: what they read belongs to root. The groups
keep cAdvisor, which sees the host's processes, out of the two that have the Engine's socket."""


FIREWALL_GROUP = 10016
"""The group of the hosts' firewalls, which are root with the one capability that sets rules."""


def alone(uid: int) -> str:
    """Return a service's user and group, both with this number."""
    return f"{uid}:{uid}"


def root_in(group: int) -> str:
    """Return root in a group of its own."""
    return f"0:{group}"
