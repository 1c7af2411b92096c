"""The stack's configuration as frozen, validated settings.

Every value is checked before the first resource is registered. `models.py` is the reference of all settings.
"""

from settings.cluster import DATABASE_PORTS, PUBLISHED_PORTS, expected_tasks
from settings.errors import SettingsError
from settings.load import load, parse
from settings.models import Settings
from settings.secrets import secret
from settings.ssh_targets import ssh_targets

__all__ = [
    "DATABASE_PORTS",
    "PUBLISHED_PORTS",
    "Settings",
    "SettingsError",
    "expected_tasks",
    "load",
    "parse",
    "secret",
    "ssh_targets",
]
