"""Settings for tests of what follows from them, without running the program."""

from collections.abc import Iterable
from typing import Any

from recorder import PASSWORDS

import settings


def settings_for(managers: Iterable[str], workers: Iterable[str] = (), **changes: Any) -> settings.Settings:
    """Return settings with hosts of these names and otherwise the defaults, except for the changes."""
    roles = [*((name, "manager") for name in managers), *((name, "worker") for name in workers)]
    hosts = [
        {"name": name, "address": f"192.168.50.{number}", "role": role}
        for number, (name, role) in enumerate(roles, start=2)
    ]
    ssh = {"private_key_file": "id_ed25519", "known_hosts_file": "known_hosts"}
    known = {"private_cidr": "192.168.50.0/24", "hosts": hosts, "ssh": ssh, **PASSWORDS}
    # Any number of managers, for tests of what does not depend on their number.
    return settings.parse({**known, "replacing_manager": True, "file_service": {"copies": 1}, **changes})
