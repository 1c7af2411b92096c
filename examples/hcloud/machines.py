"""The machines: servers at Hetzner Cloud with host keys of their own, a private network and a firewall."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pulumi
import pulumi_hcloud as hcloud
import pulumi_tls as tls
import yaml
from swarm_transfer.components.created import CreatedTarget
from swarm_transfer.components.host import Host, HostArgs
from swarm_transfer.components.host_networks import NamedNetworks

MTU = 1450
"""The MTU of Hetzner's private networks, in bytes."""

_USER = "swarm"
_ANYBODY = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, kw_only=True)
class MachinesArgs:
    """One server for each name; the first is the manager.

    `networks` are the private network and the overlay networks on it. `operators` may use ssh, and everybody `port`.
    """

    names: Sequence[str]
    server_type: str
    location: str
    network_zone: str
    networks: NamedNetworks
    private_key_file: Path
    operators: Sequence[str]
    port: int


def create_machines(args: MachinesArgs) -> list[Host]:
    """Create the servers and return them as hosts."""
    public_key = _public_key(args.private_key_file)
    # Without a key of the project's, Hetzner sends a password for root by mail.
    operator = hcloud.SshKey("operator", public_key=public_key)
    network = hcloud.Network("network", ip_range=str(args.networks.private_cidr))
    subnet = hcloud.NetworkSubnet(
        "subnet",
        network_id=network.id.apply(int),
        type="cloud",
        network_zone=args.network_zone,
        ip_range=str(args.networks.private_cidr),
    )
    # It filters what arrives at the public addresses. Between the servers, the private network is open.
    firewall = hcloud.Firewall(
        "firewall", rules=[_allowed("tcp", args.operators, 22), _allowed("tcp", _ANYBODY, args.port), _allowed("icmp")]
    )
    hosts = []
    first = args.networks.private_cidr.network_address + 2  # Hetzner's gateway has the first address
    for position, name in enumerate(args.names):
        key = tls.PrivateKey(f"{name}-host-key", algorithm="ED25519")
        server = hcloud.Server(
            name,
            server_type=args.server_type,
            location=args.location,
            image="debian-13",
            ssh_keys=[operator.id],
            firewall_ids=[firewall.id.apply(int)],
            networks=[hcloud.ServerNetworkArgs(subnet_id=subnet.id, ip=str(first + position), alias_ips=[])],
            user_data=_cloud_config(public_key, key),
            # These count when a server is made. A change would replace all servers, and the files on them be lost.
            opts=pulumi.ResourceOptions(ignore_changes=["image", "sshKeys", "userData"]),
        )
        target = CreatedTarget(
            name=name,
            address=server.ipv4_address,
            host_key=key.public_key_openssh,
            cluster_address=str(first + position),
            networks=args.networks,
            user=_USER,
            private_key_file=args.private_key_file,
        )
        hosts.append(Host(name, HostArgs(target=target, role="worker" if position else "manager")))
    return hosts


def private_network(cidr: str, subnets: dict[str, IPv4Network]) -> NamedNetworks:
    """Return the network between the servers and, by name, the overlay networks on it."""
    return NamedNetworks(private_cidr=IPv4Network(cidr), subnets=subnets, mtu=MTU)


def _public_key(private_key_file: Path) -> str:
    file = Path(f"{private_key_file}.pub")
    try:
        return file.expanduser().read_text().strip()
    except OSError as error:
        raise pulumi.RunError(
            f'private_key_file: "{file}" cannot be read ({error.strerror}): '
            f"write it with `ssh-keygen -y -f {private_key_file} >{file}`, or name another key"
        ) from None


def _allowed(protocol: str, sources: Sequence[str] = _ANYBODY, port: int | None = None) -> hcloud.FirewallRuleArgs:
    return hcloud.FirewallRuleArgs(
        direction="in", protocol=protocol, source_ips=list(sources), port=None if port is None else str(port)
    )


def _cloud_config(operator_key: str, host_key: tls.PrivateKey) -> pulumi.Output[str]:
    """Return what cloud-init reads: the file beside this one, the operator's user, and the server's host key."""
    settings = yaml.safe_load(Path("cloud-config.yaml").read_text())
    settings["users"] = [
        {"name": _USER, "groups": ["docker"], "shell": "/bin/bash", "ssh_authorized_keys": [operator_key]}
    ]

    def with_key(known: Sequence[str]) -> str:
        private, public = known
        return "#cloud-config\n" + yaml.safe_dump(
            settings | {"ssh_keys": {"ed25519_private": private, "ed25519_public": public}}
        )

    made = pulumi.Output.all(host_key.private_key_openssh, host_key.public_key_openssh).apply(with_key)
    return pulumi.Output.secret(made)
