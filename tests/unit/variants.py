"""The settings of clusters that differ in where they store files, and in what else they have.

What must hold for every cluster is tested with each of these.
"""

from typing import Any

from recorder import PASSWORDS

BUCKET = {"endpoint": "https://s3.example", "bucket": "team", "access_key": "AK"}

S3: dict[str, Any] = {"file_service": {"storage": "s3", "s3": BUCKET}, "storage_key": "storage-Horse-battery"}
BACKUPS: dict[str, Any] = {"backup": {"directory": "/srv/backup"}, "backup_password": "backup-Horse-battery"}

VARIANTS: dict[str, dict[str, Any]] = {
    "cluster": {},
    "cluster with backups": BACKUPS,
    "cluster with a firewall": {"firewall": {"ports": [9100]}},
    "directory": {"file_service": {"storage": "directory"}},
    "directory with backups": {"file_service": {"storage": "directory"}, **BACKUPS},
    "s3": S3,
}
"""What to change in the settings of the two default hosts."""


def hosts_with(*roles: str) -> dict[str, Any]:
    """Return the setting with one host for each role: host2, host3 and so on, at 192.168.50.2, .3 and so on."""
    return {
        "hosts": [
            {"name": f"host{number}", "address": f"192.168.50.{number}", "role": role}
            for number, role in enumerate(roles, start=2)
        ]
    }


SECRETS = (*PASSWORDS, "storage_key", "backup_password", "edge_certificate")
"""The settings that are secret, in all variants."""
