"""The hosts as ssh sees them."""

from components.ssh import SshTarget, knows_host
from settings.errors import PROJECT, SettingsError
from settings.models import Settings


def ssh_targets(settings: Settings) -> dict[str, SshTarget]:
    """Every host as ssh sees it, by name.

    Raises:
        SettingsError: a key file is missing, or a host's key is not known.
    """
    ssh = settings.ssh
    for field in ("private_key_file", "known_hosts_file"):
        path = getattr(ssh, field)
        if not path.expanduser().is_file():
            raise SettingsError(
                f'{PROJECT}:ssh.{field}: there is no file "{path}" here: `vagrant up` writes it; for other hosts put '
                "your own file at this path, or change the path"
            )
    unknown = [
        f'{PROJECT}:ssh.known_hosts_file: "{ssh.known_hosts_file}" has no key of {host.name} ({host.address}): '
        f"run `vagrant up {host.name}`, or add the key that the host's owner gives you"
        for host in settings.present_hosts
        if not knows_host(ssh.known_hosts_file, str(host.address))
    ]
    if unknown:
        raise SettingsError("\n".join(unknown))
    return {
        host.name: SshTarget(
            name=host.name,
            address=str(host.address),
            user=ssh.user,
            private_key_file=ssh.private_key_file,
            known_hosts_file=ssh.known_hosts_file,
        )
        for host in settings.hosts
    }
