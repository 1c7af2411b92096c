"""The stack's configuration as frozen, validated settings.

Every value is checked before the first resource is registered. `models/` is the reference of all settings.
"""

from settings.errors import SettingsError
from settings.load import load, parse
from settings.models import Settings
from settings.secrets import secret
from settings.ssh_targets import ssh_targets

__all__ = [
    "Settings",
    "SettingsError",
    "load",
    "parse",
    "secret",
    "ssh_targets",
]
