"""How to reach a machine that the program itself creates, whose address is known only during the update."""

import re
from dataclasses import dataclass
from pathlib import Path

import pulumi

from .host_networks import NamedNetworks
from .ssh import PORT, SshTarget

_NO_FILE = Path("none")
"""What ssh's options call no file."""

_PUBLIC_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, kw_only=True)
class CreatedTarget:
    """How to reach a machine that the program creates. Its addresses and its host key may be outputs, its name may not.

    `address` is where its ssh server answers. `host_key` is the public key of this server, which the program has made
    and given to the machine before it first booted: no other key is accepted. `cluster_address` is the machine's
    address in the network between the hosts, if it is not the same. With `networks`, its interfaces must go with them.
    `boot_timeout` is how long the machine may take to boot and to install its programs, in seconds.
    """

    name: str
    address: str | pulumi.Output[str]
    host_key: str | pulumi.Output[str]
    user: str
    private_key_file: Path
    port: int = PORT
    cluster_address: str | pulumi.Output[str] | None = None
    networks: NamedNetworks | None = None
    boot_timeout: int = 300

    def known(self) -> pulumi.Output[SshTarget]:
        """Return how to reach the machine, once its address and its key are known."""
        return pulumi.Output.all(self.address, self.host_key).apply(lambda known: self._target(*known))

    def _target(self, address: str, host_key: str) -> SshTarget:
        return SshTarget(
            name=self.name,
            address=address,
            user=self.user,
            private_key_file=self.private_key_file,
            known_hosts_file=_NO_FILE,
            port=self.port,
            host_key=_checked(self.name, host_key),
        )


def _checked(name: str, host_key: str) -> str:
    """Return the key's type and its base64 text, without a comment. An error does not repeat it: it may be private.

    Raises:
        pulumi.RunError: the text is not one public key.
    """
    words = " ".join(host_key.split(" ")[:2]).strip()
    if "\n" in host_key.strip() or not _PUBLIC_KEY.fullmatch(words):
        raise pulumi.RunError(
            f'{name}: host_key: is not one public key: give its type and its base64 text, such as "ssh-ed25519 AAAA…"'
        )
    return words
