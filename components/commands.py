"""The shell scripts that run on hosts. The functions are pure, and running a script twice changes nothing.

Their programs, in POSIX sh, are in the folder `scripts`. Secrets arrive on standard input, never in a script's text or
in an argument list.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from . import users
from .shell import render

CLUSTER_LABEL = "swarm-transfer.cluster"
"""Node label with the name of the stack that created the swarm."""

HOST_LABEL = "swarm-transfer.host"
"""Node label with the host's name in the configuration; placement constraints use it."""

HOLDS_LABEL = "swarm-transfer.holds"
"""Node label with the kinds of data that the node's host holds, such as "files,monitoring"; absent if it holds none."""

STORAGE_LABEL = "swarm-transfer.storage"
"""Node label with where the stack's files are stored, such as "cluster"."""

POOL_PREFIX = 24
"""The prefix of the networks that Docker takes from the swarm's pool."""

FIREWALL = "swarm-transfer-firewall"
"""The name of the container that loads a host's rules."""

PROMETHEUS_FOLDER = "/etc/prometheus"
"""The folder with Prometheus's files in its container."""

_HEARTBEAT_SECONDS = 5
"""How often a node that is not slow reports to the managers, as in Docker. After three times without, it is down."""


def init_swarm(*, address: str, stack: str, pool: IPv4Network | None = None, patience: int = 1) -> str:
    """Create the swarm on this host unless it is already in the stack's swarm, and print the node's id.

    Docker takes the subnets of its own networks from `pool`. A node that reports late counts as down, and other nodes
    get its tasks: `patience` multiplies the time that nodes have. The script fails if the host is in any other swarm.
    """
    options = [f"--default-addr-pool={pool}", f"--default-addr-pool-mask-length={POOL_PREFIX}"] if pool else []
    return render(
        "change_node",
        "init_swarm",
        ADDRESS=address,
        STACK=stack,
        CLUSTER_LABEL=CLUSTER_LABEL,
        HEARTBEAT=_HEARTBEAT_SECONDS * patience,
        arguments=options,
    )


def print_join_token(role: str) -> str:
    """On a manager: print the token with which a host joins in this role."""
    return render("print_join_token", ROLE=role)


def rotate_join_tokens(nodes: Mapping[str, str]) -> str:
    """On a manager: replace the tokens with which hosts join.

    `nodes` maps the id of each node that has joined to its role. When they change, the script runs again.
    """
    return render(
        "change_node", "rotate_join_tokens", NODES=" ".join(sorted(f"{node}={role}" for node, role in nodes.items()))
    )


def lock_swarm() -> str:
    """On a manager: turn autolock on, and print the key by which managers are unlocked."""
    return render("change_node", "lock_swarm")


def stop_locking_swarm() -> str:
    """On a manager: turn autolock off."""
    return render("change_node", "stop_locking_swarm")


def join_request(*, address: str, manager_address: str, token: str) -> str:
    """Return the body of the Engine API's join request, which `join_swarm` reads on standard input."""
    return json.dumps(
        {
            "ListenAddr": f"{address}:2377",
            "AdvertiseAddr": address,
            "DataPathAddr": address,
            "RemoteAddrs": [f"{manager_address}:2377"],
            "JoinToken": token,
        }
    )


def join_swarm() -> str:
    """Join the swarm with the request on standard input unless the host is in one, and print the node's id."""
    return render("join_swarm")


def leave_swarm() -> str:
    """Leave any swarm that this host is in, and remove the bridge network that joining created."""
    return render("leave_swarm")


def configure_node(*, node_id: str, role: str, labels: Mapping[str, str]) -> str:
    """On a manager: make the node active, with this role and exactly these labels."""
    wanted = [f"{key}={value}" for key, value in sorted(labels.items())]
    return render("change_node", "configure_node", NODE=node_id, ROLE=role, arguments=wanted)


def retire_node(*, node_id: str, drain_timeout: int) -> str:
    """On a manager: drain the node, wait at most `drain_timeout` seconds for its tasks, then remove it from the swarm.

    Nothing is done for the last node: its tasks have nowhere to go, and leaving ends the swarm. If the node is down,
    the script does not wait for its tasks.
    """
    return render("change_node", "retire_node", NODE=node_id, DRAIN_TIMEOUT=drain_timeout)


def forget_node(*, host: str) -> str:
    """On a manager: remove the node of the host of this name, which is gone, from the swarm."""
    return render("change_node", "forget_node", HOST=host, HOST_LABEL=HOST_LABEL)


def load_firewall(*, host: str, image: str, rules: str, gone: Iterable[str]) -> str:
    """Load the rules of this host's firewall, now and whenever its Engine starts.

    `host` is the host's name in error messages, and `gone` are the addresses of hosts that are gone. An image that is
    not here is pulled with the login on standard input. If the kernel refuses the rules, the earlier ones stay.
    """
    return render(
        "firewall_container",
        "load_firewall",
        HOST=host,
        NAME=FIREWALL,
        IMAGE=image,
        OWNER=users.root_in(users.FIREWALL_GROUP),
        RULES=rules,
        GONE=" ".join(sorted(gone)),
    )


def remove_firewall(*, image: str) -> str:
    """Remove this host's firewall and its rules."""
    return render(
        "firewall_container",
        "remove_firewall",
        NAME=FIREWALL,
        IMAGE=image,
        OWNER=users.root_in(users.FIREWALL_GROUP),
    )


def pull_images(references: Iterable[str]) -> str:
    """Pull these images unless they are present. One that cannot be pulled is left to Swarm, which may have a login."""
    return render("pull_images", arguments=list(references))


def remove_images(references: Iterable[str]) -> str:
    """Remove these images, waiting up to about a minute until no task uses them.

    Swarm keeps the containers of a few ended tasks for their logs; these are removed with the image. Containers that
    are not Swarm's are left alone, and the script fails if one of them still uses an image.
    """
    return render("image_removal", "remove_images", arguments=list(references))


def remove_repository(repository: str) -> str:
    """Remove every image of this repository, as `remove_images` does."""
    return render("image_removal", "remove_repository", REPOSITORY=repository)


def remove_superseded_images(repository: str, tag: str) -> str:
    """Remove the repository's images except the one with this tag and those that are in use.

    The image that runs when the script does is in use, so it stays until the next update and a rollback finds it.
    """
    return render("image_removal", "remove_superseded_images", REPOSITORY=repository, TAG=tag)


def chown_volume(*, volume: str, owner: int, image: str) -> str:
    """Make this user and group, given as one number, the owner of the volume and of all that is in it."""
    return render("chown_volume", VOLUME=volume, OWNER=owner, IMAGE=image)


def delete_volume(*, volume: str) -> str:
    """Remove the volume, and before it the ended tasks' containers that Swarm keeps for their logs.

    The script fails if a running container uses the volume.
    """
    return render("delete_volume", VOLUME=volume)


def create_volume(*, volume: str, owner: int, image: str) -> str:
    """Create the volume unless it exists, and make this user and group, given as one number, its owner."""
    return render("create_volume", "chown_volume", VOLUME=volume, OWNER=owner, IMAGE=image)


def create_directory(*, directory: str, owner: int, image: str) -> str:
    """Create a directory of the host unless it exists, which only this user and group may use; `owner` is a number."""
    return render("create_directory", DIRECTORY=directory, OWNER=owner, IMAGE=image)


def create_image_folder(*, folder: str, image: str) -> str:
    """Create the folder in which an Engine with an image store of its own keeps the images, unless it exists."""
    return render("create_image_folder", FOLDER=folder, IMAGE=image)


def remove_image_folder(*, folder: str, image: str) -> str:
    """Remove that folder, unless the Engine has anything in it."""
    return render("remove_image_folder", FOLDER=folder, IMAGE=image)


def remove_volume(*, volume: str) -> str:
    """Remove the volume, waiting up to 20 seconds until it is unused.

    A volume that is still in use after that is kept, without an error: a host that leaves the swarm keeps its data.
    """
    return render("remove_volume", VOLUME=volume)


def leave_etcd(*, member: str) -> str:
    """Take the member of this name, whose service has the same one, out of etcd's cluster if it runs on this host."""
    return render("leave_etcd", MEMBER=member)


def forget_etcd(*, lost: str, member: str) -> str:
    """On the host of the etcd member `member`: take the member `lost`, whose host is gone, out of the cluster."""
    return render("forget_etcd", LOST=lost, MEMBER=member)


def deliver_prometheus_files(*, volume: str, image: str, owner: int, service: str) -> str:
    """Put the files on standard input into the volume, and make a running Prometheus reload them.

    On standard input, a line `==> PATH <==` precedes the lines of each file. If promtool rejects the files, the script
    fails and the volume keeps the earlier ones.
    """
    return render(
        "deliver_prometheus_files",
        VOLUME=volume,
        IMAGE=image,
        OWNER=owner,
        SERVICE=service,
        FOLDER=PROMETHEUS_FOLDER,
        UNPACK=unpack_prometheus_files(PROMETHEUS_FOLDER),
    )


def unpack_prometheus_files(folder: str) -> str:
    """In Prometheus's image: replace the files in the folder by those on standard input, if promtool accepts them."""
    return render("unpack_prometheus_files", FOLDER=folder)


def inspect_services(names: Iterable[str]) -> str:
    """On a manager: print three JSON documents, the lists of these services, of their tasks and of all nodes.

    The first list also has services whose names only begin with one of these.
    """
    wanted = sorted(names)
    # The Engine treats both filters as prefixes of names. A task's name begins with its service's and a dot. If tasks
    # were chosen by their service, the Engine would refuse the request as soon as one of the services did not exist.
    services, tasks = dict.fromkeys(wanted, True), {f"{name}.": True for name in wanted}
    return render("inspect_services", SERVICES=json.dumps({"name": services}), TASKS=json.dumps({"name": tasks}))


def print_unanswered(urls: Iterable[str]) -> str:
    """Print the URLs that do not answer with a success status. Certificates are not verified."""
    return render("print_unanswered", arguments=list(urls))


def last_log_lines(name: str, *, lines: int = 15) -> str:
    """On a manager: print the last log lines of the task with this id, or of all tasks of the service of this name."""
    return f"timeout 20 docker service logs --tail {lines} --raw {shlex.quote(name)} 2>&1 | tail -n {lines}\n"
