"""What somebody changed by hand in nodes, volumes, firewalls and services, and `pulumi up --refresh` does not put back.

Each line names the command that does. `docker node` and `docker service` run on a manager.
"""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from components.commands import FIREWALL
from components.probe import Probe
from operations.recorded import WantedNode, WantedVolume

_SAID = {"drain": "somebody drained it", "pause": "somebody paused it"}
_OTHER_ROLE = {"manager": "promote", "worker": "demote"}
_DNS = {"Nameservers": "dns", "Search": "dns-search", "Options": "dns-option"}
"""Where a service's document has what these options of `docker service update` set."""


def node_findings(
    nodes: Sequence[WantedNode], documents: Sequence[Mapping[str, Any]], probes: Mapping[str, Probe]
) -> Iterator[str]:
    """Yield one line for each change of a node. `documents` are the Engine API's; `probes` are of hosts by name."""
    unknown = {document["ID"]: document for document in documents}
    for wanted in nodes:
        node, probe = unknown.pop(wanted.id, None), probes.get(wanted.host)
        left = probe is not None and probe.swarm.get("NodeID") != wanted.id
        if node is None or left:
            yield (
                f"{wanted.host}: it left the swarm: put it back as docs/operations/hosts.md says of a host that is "
                "gone for good, and leave the machine on"
            )
        else:
            yield from _node(wanted, node["Spec"])
    for identifier, node in unknown.items():
        hostname = node["Description"]["Hostname"]
        # A manager that left without this would take its vote with it, and the others could lose their majority.
        demote = f"`docker node demote {identifier}`, then " if node["Spec"].get("Role") == "manager" else ""
        yield (
            f"{hostname}: it is in the swarm, and not one of the hosts: {demote}`docker swarm leave` there, then "
            f"`docker node rm {identifier}`, removes it"
        )


def _node(wanted: WantedNode, spec: Mapping[str, Any]) -> Iterator[str]:
    update = "docker node update"
    if said := _SAID.get(spec["Availability"]):
        yield (
            f"{wanted.host}: {said}: `{update} --availability active {wanted.id}`, or "
            f"`python -m operations.maintain {wanted.host}` if its maintenance was interrupted, puts it back"
        )
    if spec["Role"] != wanted.role:
        yield (
            f"{wanted.host}: it is a {spec['Role']} instead of a {wanted.role}: "
            f"`docker node {_OTHER_ROLE[wanted.role]} {wanted.id}` puts it back"
        )
    labels: Mapping[str, str] = spec.get("Labels") or {}
    for key in sorted(labels.keys() | wanted.labels.keys()):
        value, known = labels.get(key), wanted.labels.get(key)
        if known is None:
            remove = f"{update} --label-rm {shlex.quote(key)} {wanted.id}"
            yield f"{wanted.host}: the label {key}={value} was added: `{remove}` removes it"
        elif value != known:
            said = f"{key}={known} was removed" if value is None else f"{key} is {value} instead of {known}"
            add = shlex.quote(f"{key}={known}")
            yield f"{wanted.host}: the label {said}: `{update} --label-add {add} {wanted.id}` puts it back"


def volume_findings(
    volumes: Sequence[WantedVolume], hosts: Mapping[str, str], probes: Mapping[str, Probe]
) -> Iterator[str]:
    """Yield one line for each volume that is not on its host. `hosts` are the hosts' names by their addresses."""
    for volume in volumes:
        host = hosts.get(volume.address, "")
        if host in probes and volume.name not in probes[host].volumes:
            chown = (
                f"docker run --rm --user 0:0 --volume {volume.name}:/volume --entrypoint chown {volume.image} "
                f"{volume.owner}:{volume.owner} /volume"
            )
            yield f"{volume.name}: the volume was deleted on {host} with its data: `{chown}` there makes an empty one"


def firewall_findings(firewalls: Mapping[str, str], probes: Mapping[str, Probe]) -> Iterator[str]:
    """Yield one line for each firewall that does not run. `firewalls` are their URNs by the hosts' names."""
    for host, urn in firewalls.items():
        if host in probes and not any(container.name == FIREWALL for container in probes[host].containers):
            yield f"{host}: its firewall does not run: `pulumi up --replace '{urn}'` starts it"


def service_findings(identifiers: Collection[str], documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield one line for each service, label or DNS setting that was added.

    `identifiers` are those of the program's services. It sets no label and no DNS of a service.
    """
    for document in documents:
        spec = document["Spec"]
        name = spec["Name"]
        if document["ID"] not in identifiers:
            yield f"{name}: somebody created this service: `docker service rm {document['ID']}` removes it"
            continue
        update = "docker service update"
        for key, value in (spec.get("Labels") or {}).items():
            remove = f"{update} --label-rm {shlex.quote(key)} {name}"
            yield f"{name}: the label {key}={value} was added: `{remove}` removes it"
        found = spec["TaskTemplate"].get("ContainerSpec", {}).get("DNSConfig") or {}
        for key, option in _DNS.items():
            for value in found.get(key) or []:
                remove = f"{update} --{option}-rm {shlex.quote(value)} {name}"
                yield f"{name}: {option} {value} was added: `{remove}` removes it"
