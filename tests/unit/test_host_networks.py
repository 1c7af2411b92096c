"""Overlay networks suit the networks that the hosts have, or the host is named before anything is changed."""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

import pytest

from components.commands import init_swarm
from components.host_networks import NamedNetworks, ingress, mtu, problems
from components.probe import Interface, Probe

ADDRESSES = {"m1": "192.168.50.2", "w1": "192.168.50.3"}
SUBNET = IPv4Network("10.0.10.0/24")


def interface(name: str, address: str, *, mtu: int = 1500) -> Interface:
    return Interface(name=name, address=IPv4Interface(address), mtu=mtu)


def host(address: str, *further: Interface, mtu: int = 1500, **swarm: Any) -> Probe:
    own = interface("eth0", f"{address}/24", mtu=mtu)
    return Probe(swarm=swarm, interfaces=(interface("lo", "127.0.0.1/8", mtu=65536), own, *further))


def named(**changes: Any) -> NamedNetworks:
    return NamedNetworks(
        **{"private_cidr": IPv4Network("192.168.50.0/24"), "subnets": {"network.subnet": SUBNET}, **changes}
    )


def found(w1: Probe, **changes: Any) -> list[str]:
    probes = {"m1": host(ADDRESSES["m1"]), "w1": w1}
    return problems(probes, ADDRESSES, named(**changes), first_manager="m1")


@pytest.mark.parametrize(
    ("mtus", "wanted", "expected"),
    [((1500, 1500), None, 1500), ((1500, 1450), None, 1450), ((9000, 9000), None, 1500), ((9000, 9000), 8900, 8900)],
    ids=["usual", "a cloud's", "larger ones are not assumed on the whole way", "set"],
)
def test_overlays_are_made_for_the_smallest_interface(mtus: tuple[int, int], wanted: int | None, expected: int) -> None:
    docker0 = interface("docker0", "172.17.0.1/16", mtu=1300)
    probes = {name: host(ADDRESSES[name], docker0, mtu=size) for name, size in zip(ADDRESSES, mtus, strict=True)}

    assert mtu(probes, ADDRESSES, named(mtu=wanted)) == expected


def test_hosts_that_report_no_interfaces_are_taken_as_usual() -> None:
    assert mtu({"m1": Probe(swarm={})}, ADDRESSES, named()) == 1500
    assert found(Probe(swarm={})) == []


def test_the_usual_bridges_are_accepted() -> None:
    bridges = (interface("docker0", "172.17.0.1/16"), interface("docker_gwbridge", "172.18.0.1/16"))

    assert found(host(ADDRESSES["w1"], *bridges)) == []


@pytest.mark.parametrize(("encrypted", "lines"), [(True, 1), (False, 0)])
def test_encrypted_networks_need_a_kernel_with_ipsec(encrypted: bool, lines: int) -> None:
    without = replace(host("192.168.50.3"), has_ipsec=False)

    refused = found(without, encrypted=encrypted)

    assert len(refused) == lines
    assert all(line.startswith("w1: its kernel has no IPsec (ESP)") for line in refused)
    assert all("set network.encrypted to false" in line for line in refused)


def test_an_mtu_that_an_interface_does_not_have_is_refused() -> None:
    (line,) = found(host(ADDRESSES["w1"], mtu=1450), mtu=1500)

    assert line == 'w1: network.mtu: "1500" is more than the 1450 of its interface eth0: set 1450 or less, or remove it'


def test_a_host_without_its_address_is_named() -> None:
    (line,) = found(host("10.9.9.9"))

    assert line.startswith("w1: none of its interfaces has the address 192.168.50.3: set the one")


def test_a_bridge_that_overlaps_the_hosts_network_is_named() -> None:
    bridge = interface("docker_gwbridge", "192.168.48.1/20")

    (line,) = found(host(ADDRESSES["w1"], bridge))

    assert line.startswith('w1: its bridge docker_gwbridge (192.168.48.0/20) overlaps private_cidr "192.168.50.0/24": ')
    assert "default-address-pools" in line


def test_an_interface_that_overlaps_a_subnet_is_named() -> None:
    (line,) = found(host(ADDRESSES["w1"], interface("wg0", "10.0.0.1/16")))

    assert line == 'w1: network.subnet: "10.0.10.0/24" overlaps 10.0.0.0/16 of its interface wg0: choose another subnet'


def test_a_second_address_in_the_hosts_network_is_no_problem() -> None:
    assert found(host(ADDRESSES["w1"], interface("eth1", "192.168.50.200/24"))) == []


@pytest.mark.parametrize(("pool", "lines"), [(None, 0), ("172.30.0.0/16", 0), ("172.31.0.0/16", 1)])
def test_another_pool_than_that_of_the_swarm_is_refused(pool: str | None, lines: int) -> None:
    swarm = {"Cluster": {"ID": "ours", "DefaultAddrPool": ["172.30.0.0/16"]}}
    probes = {"m1": host(ADDRESSES["m1"], **swarm)}
    wanted = named(pool=pool and IPv4Network(pool))

    refused = problems(probes, ADDRESSES, wanted, first_manager="m1")

    assert len(refused) == lines
    assert all(line.startswith('m1: network.pool: "172.31.0.0/16" is not the pool with') for line in refused)


def test_swarms_own_network_is_the_first_of_the_pool() -> None:
    assert ingress(None) == IPv4Network("10.0.0.0/24")
    assert ingress(IPv4Network("172.30.0.0/16")) == IPv4Network("172.30.0.0/24")


def test_the_pool_is_an_option_of_a_new_swarm() -> None:
    script = init_swarm(address="192.168.50.2", stack="lab", pool=IPv4Network("172.30.0.0/16"))

    assert "set -- --default-addr-pool=172.30.0.0/16 --default-addr-pool-mask-length=24\n" in script
