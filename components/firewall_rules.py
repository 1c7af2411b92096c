"""The rules of the hosts' firewall, as text for `nft`."""

from collections.abc import Iterable
from ipaddress import IPv4Address

HOSTS_TCP = (2377, 7946)
"""The TCP ports of Swarm's managers and of the nodes' gossip, which only the hosts of the cluster reach."""

HOSTS_UDP = (4789, 7946)
"""The UDP ports of overlay networks (VXLAN) and of the nodes' gossip, which only the hosts of the cluster reach."""

# No set has a name: Debian 12's nft crashes when it lists one that Debian 13's has made.
_RULES = """\
add table inet swarm_transfer
delete table inet swarm_transfer
table inet swarm_transfer {{
  chain from_hosts {{
    tcp dport {{ {hosts_tcp} }} accept
    udp dport {{ {hosts_udp} }} accept
    meta l4proto esp accept
  }}
  # Former hosts, which may still have tasks that end. The container adds them, and later removes them.
  chain leaving {{
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state established,related accept
    meta l4proto {{ icmp, icmpv6 }} accept
    # DHCPv6 is asked by multicast, so its answers belong to no known connection.
    ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
    tcp dport $ssh_port accept
    tcp dport {{ {ports} }} accept
    ip saddr {{ {hosts} }} jump from_hosts
    jump leaving
  }}
}}
"""


def firewall_rules(*, hosts: Iterable[IPv4Address], ports: Iterable[int]) -> str:
    """Return rules that replace the table `inet swarm_transfer` and touch no other, all at once or not at all.

    Every address reaches ICMP, the TCP `ports`, and the port of ssh, for which the text has the variable `ssh_port`.
    The `hosts` also reach each other's ports of Docker. What a host forwards to its containers is not filtered.
    """
    return _RULES.format(
        hosts=", ".join(str(address) for address in sorted(set(hosts))),
        hosts_tcp=_listed(HOSTS_TCP),
        hosts_udp=_listed(HOSTS_UDP),
        ports=_listed(ports),
    )


def _listed(ports: Iterable[int]) -> str:
    return ", ".join(str(port) for port in sorted(set(ports)))
