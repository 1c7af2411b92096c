"""A lab whose hosts are virtual machines. Everything else is as in an offline lab, with the same images and plugins."""

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from lab import configuration, engine
from lab.offline import OfflineLifecycle
from lab.progress import step
from lab.vm import image, machine, network, provision


class VmLifecycle(OfflineLifecycle):
    """Runs the hosts as machines with a kernel of their own, in the lab's own network namespace."""

    settings: Mapping[str, Any] = {
        **OfflineLifecycle.settings,
        "network": {"encrypted": True},  # what hosts in containers cannot do: their kernel is this machine's
        # Whatever the list of hosts says, a machine has one processor. Starting a program is slow there, and every
        # health check starts one.
        "monitoring": {**OfflineLifecycle.settings["monitoring"], "host": "slave"},
        "file_service": {"replicas": 2},
        "patience": 10,
    }

    def start_hosts(self, *names: str) -> None:
        """Start these machines, or all of them if none are named, and make hosts of them."""
        lab = self._lab
        base = image.build()
        network.create(lab)
        public_key = provision.key_pair(lab.ssh_dir)
        machines = machine.of(lab, configuration.read(lab)["hosts"])
        chosen = [each for each in machines if not names or each.name in names]
        machine.require_memory([each for each in chosen if not each.is_running()])
        with step("booting virtual machines"):
            for each in chosen:
                each.start(base, public_key)
            provision.record_host_keys(machines, lab.ssh_dir / "known_hosts")
        with step("running hosts/provision.sh on them"), ThreadPoolExecutor() as pool:
            list(pool.map(partial(provision.provision, public_key=public_key), chosen))

    def discard_hosts(self) -> None:
        """Remove the machines. A running engine, which only publishes images, stays."""
        machine.remove_all(self._lab)
        with contextlib.suppress(FileNotFoundError):
            (self._lab.ssh_dir / "known_hosts").unlink()

    def remove(self) -> None:
        """Remove the machines, and the engine with all that it made."""
        machine.remove_all(self._lab)
        engine.remove(self._lab)
