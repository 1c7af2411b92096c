"""The hosts as ssh sees them."""

from collections.abc import Iterable

from components.ssh import PORT, Jump, SshTarget, knows_host, needs_passphrase
from settings.errors import PROJECT, SettingsError
from settings.models import Host, Settings, Ssh


def ssh_targets(settings: Settings) -> dict[str, SshTarget]:
    """Every host as ssh sees it, by name.

    Raises:
        SettingsError: a key file is missing, needs a passphrase, or a host's key is not known.
    """
    ssh = settings.ssh
    for field in ("private_key_file", "known_hosts_file"):
        path = getattr(ssh, field)
        if not path.expanduser().is_file():
            raise SettingsError(
                f'{PROJECT}:ssh.{field}: there is no file "{path}" here: `vagrant up` writes it; for other hosts put '
                "your own file at this path, or change the path"
            )
    if needs_passphrase(ssh.private_key_file):
        raise SettingsError(
            f'{PROJECT}:ssh.private_key_file: "{ssh.private_key_file}" has a passphrase, and no ssh agent has the key: '
            f"run `ssh-add {ssh.private_key_file}` (and `eval $(ssh-agent)` before, if no agent runs)"
        )
    jump = _jump(ssh)
    unknown = [
        f'{PROJECT}:ssh.known_hosts_file: "{ssh.known_hosts_file}" has no key of {host.name} '
        f"({_shown(str(host.address), ssh.port)}): run `vagrant up {host.name}`, or add the key that the host's owner "
        "gives you"
        for host in settings.present_hosts
        if not knows_host(ssh.known_hosts_file, str(host.address), ssh.port)
    ]
    if jump and not knows_host(ssh.known_hosts_file, jump.address, jump.port):
        unknown.append(
            f'{PROJECT}:ssh.known_hosts_file: "{ssh.known_hosts_file}" has no key of ssh.jump '
            f"({_shown(jump.address, jump.port)}): add the key that its owner gives you"
        )
    if unknown:
        raise SettingsError("\n".join(unknown))
    return targets_of(settings.hosts, ssh, patience=settings.patience)


def targets_of(hosts: Iterable[Host], ssh: Ssh, *, patience: int) -> dict[str, SshTarget]:
    """These hosts as ssh sees them, by name. Whether the files are usable is not checked."""
    return {
        host.name: SshTarget(
            name=host.name,
            address=str(host.address),
            user=ssh.user,
            private_key_file=ssh.private_key_file,
            known_hosts_file=ssh.known_hosts_file,
            port=ssh.port,
            jump=_jump(ssh),
            patience=patience,
        )
        for host in hosts
    }


def _jump(ssh: Ssh) -> Jump | None:
    if ssh.jump is None:
        return None
    user, _, rest = ssh.jump.rpartition("@")
    address, _, port = rest.partition(":")
    return Jump(address=address, user=user, port=int(port or PORT))


def _shown(address: str, port: int) -> str:
    """Return the name under which a known-hosts file has the key of this address and port."""
    return address if port == PORT else f"[{address}]:{port}"
