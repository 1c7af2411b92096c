"""Builds every shell script that runs on a host. The functions are pure, and running a script twice changes nothing.

Scripts are POSIX sh. Secrets arrive on standard input, never in the script's text or in an argument list.
"""

import json
import shlex
from collections.abc import Iterable, Mapping

CLUSTER_LABEL = "swarm-transfer.cluster"
"""Node label with the name of the stack that created the swarm."""

HOST_LABEL = "swarm-transfer.host"
"""Node label with the host's name in the configuration; placement constraints use it."""

HOLDS_LABEL = "swarm-transfer.holds"
"""Node label with the kinds of data that the node's host holds, such as "files,monitoring"; absent if it holds none."""

_SOCKET = "/var/run/docker.sock"

_REMOVAL = """set -eu
remove() {
  ended=$(docker ps --all --quiet \\
    --filter "ancestor=$1" --filter label=com.docker.swarm.task --filter status=exited)
  # shellcheck disable=SC2086 # the containers are several words
  [ -z "$ended" ] || docker rm $ended >/dev/null
  docker image rm "$1" >/dev/null
}
remove_all() {
  attempts=60
  for image in "$@"; do
    while docker image inspect "$image" >/dev/null 2>&1 && ! error=$(remove "$image" 2>&1); do
      attempts=$((attempts - 1))
      [ "$attempts" -gt 0 ] || { echo "$error" >&2; exit 1; }
      sleep 1
    done
  done
}
"""


_UNPACK_PROMETHEUS_FILES = """set -eu
cd /etc/prometheus
rm -rf new old
mkdir -p new/rules new/alerts
awk '/^==> .* <==$/ { if (file) close(file); file = "new/" $2; next } { print > file }'
promtool check config new/prometheus.yml
[ ! -e live ] || mv live old
mv new live
rm -rf old
"""


def init_swarm(*, address: str, stack: str) -> str:
    """Create the swarm on this host unless it is already in the stack's swarm, and print the node's id.

    The script fails if the host is in any other swarm.
    """
    quoted = shlex.quote(address)
    return f"""set -eu
if [ "$(docker info --format '{{{{.Swarm.LocalNodeState}}}}')" = inactive ]; then
  # Addresses are explicit: the first interface of a Vagrant box is NAT.
  docker swarm init --advertise-addr {quoted} --listen-addr {quoted}:2377 --data-path-addr {quoted} >/dev/null
  node=$(docker info --format '{{{{.Swarm.NodeID}}}}')
  docker node update --label-add {shlex.quote(f"{CLUSTER_LABEL}={stack}")} "$node" >/dev/null
fi
label=$(docker node inspect self --format '{{{{index .Spec.Labels "{CLUSTER_LABEL}"}}}}')
if [ "$label" != {shlex.quote(stack)} ]; then
  echo 'this host is in another swarm: run docker swarm leave --force on it' >&2
  exit 1
fi
docker info --format '{{{{.Swarm.NodeID}}}}'
"""


def print_join_tokens() -> str:
    """Print both join tokens as one JSON object with the keys `worker` and `manager`."""
    return """set -eu
worker=$(docker swarm join-token --quiet worker)
manager=$(docker swarm join-token --quiet manager)
printf '{"worker": "%s", "manager": "%s"}' "$worker" "$manager"
"""


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
    """Join the swarm with the request on standard input unless the host is in one, and print the node's id.

    The script calls the Engine API because `docker swarm join` takes the token only as an argument, which `ps` shows.
    """
    return f"""set -eu
if [ "$(docker info --format '{{{{.Swarm.LocalNodeState}}}}')" = inactive ]; then
  curl --silent --show-error --fail-with-body --max-time 120 --unix-socket {_SOCKET} \\
    --header 'Content-Type: application/json' --data-binary @- http://docker/swarm/join >&2
else
  cat >/dev/null
fi
docker info --format '{{{{.Swarm.NodeID}}}}'
"""


def leave_swarm() -> str:
    """Leave any swarm that this host is in, and remove the bridge network that joining created."""
    return """set -eu
if [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" != inactive ]; then
  docker swarm leave --force >/dev/null
fi
docker network rm docker_gwbridge >/dev/null 2>&1 || true
"""


def configure_node(*, node_id: str, role: str, labels: Mapping[str, str]) -> str:
    """On a manager: make the node active, with this role and exactly these labels."""
    node = shlex.quote(node_id)
    additions = " ".join(f"--label-add {shlex.quote(f'{key}={value}')}" for key, value in sorted(labels.items()))
    return f"""set -eu
removals=''
# shellcheck disable=SC2016 # docker's template, not the shell's
keys='{{{{range $key, $value := .Spec.Labels}}}}{{{{println $key}}}}{{{{end}}}}'
for key in $(docker node inspect {node} --format "$keys"); do
  case $key in
    {"|".join(shlex.quote(key) for key in sorted(labels))}) ;;
    *) removals="$removals --label-rm $key" ;;
  esac
done
# shellcheck disable=SC2086 # the removals are several words
docker node update --availability active --role {shlex.quote(role)} $removals {additions} {node} >/dev/null
"""


def retire_node(*, node_id: str, drain_timeout: int) -> str:
    """On a manager: drain the node, wait at most `drain_timeout` seconds for its tasks, then remove it from the swarm.

    Nothing is done for the last node: its tasks have nowhere to go, and leaving ends the swarm. If the node is down,
    the script does not wait for its tasks.
    """
    node = shlex.quote(node_id)
    return f"""set -eu
docker node inspect {node} >/dev/null 2>&1 || exit 0
[ "$(docker node ls --quiet | wc -l)" -gt 1 ] || exit 0
if [ "$(docker node inspect self --format '{{{{.ID}}}}')" = {node} ]; then
  echo 'this host commands the swarm: put another manager first in hosts, pulumi up, then remove this one' >&2
  exit 1
fi
docker node update --availability drain {node} >/dev/null
waited=0
while [ "$(docker node inspect {node} --format '{{{{.Status.State}}}}')" = ready ] \\
  && docker node ps {node} --format '{{{{.CurrentState}}}}' | grep -q '^Running'; do
  if [ "$waited" -ge {drain_timeout} ]; then
    echo 'its tasks did not end within {drain_timeout} seconds:' >&2
    docker node ps {node} >&2
    exit 1
  fi
  sleep 1
  waited=$((waited + 1))
done
docker node demote {node} >/dev/null
docker node rm --force {node} >/dev/null
"""


def remove_images(references: Iterable[str]) -> str:
    """Remove these images, waiting up to about a minute until no task uses them.

    Swarm keeps the containers of a few ended tasks for their logs; these are removed with the image. Containers that
    are not Swarm's are left alone, and the script fails if one of them still uses an image.
    """
    return _REMOVAL + f"remove_all {' '.join(shlex.quote(reference) for reference in references)}\n"


def remove_repository(repository: str) -> str:
    """Remove every image of this repository, as `remove_images` does."""
    directive = "# shellcheck disable=SC2046 # the images are several words\n"
    return _REMOVAL + directive + f"remove_all $({_tags_of(repository)})\n"


def remove_superseded_images(repository: str, tag: str) -> str:
    """Remove the repository's images except the one with this tag and those that are in use.

    The image that runs when the script does is in use, so it stays until the next update and a rollback finds it.
    """
    return (
        _REMOVAL
        + f"""for image in $({_tags_of(repository)}); do
  [ "$image" = {shlex.quote(f"{repository}:{tag}")} ] || remove "$image" 2>/dev/null || true
done
"""
    )


def chown_volume(*, volume: str, owner: int, image: str) -> str:
    """Make this user and group, given as one number, the owner of the volume and of all that is in it."""
    return f"""set -eu
docker run --rm --user 0:0 --cap-drop ALL --cap-add CHOWN --cap-add DAC_READ_SEARCH --network none --read-only \\
  --volume {shlex.quote(volume)}:/volume --entrypoint chown {shlex.quote(image)} -R {owner}:{owner} /volume >/dev/null
"""


def release_volume(*, volume: str) -> str:
    """Remove the ended tasks' containers that Swarm keeps for their logs, and that still hold the volume."""
    return f"""set -eu
ended=$(docker ps --all --quiet \\
  --filter {shlex.quote(f"volume={volume}")} --filter label=com.docker.swarm.task \\
  --filter status=created --filter status=exited --filter status=dead)
# shellcheck disable=SC2086 # the containers are several words
[ -z "$ended" ] || docker rm $ended >/dev/null
"""


def create_volume(*, volume: str, owner: int, image: str) -> str:
    """Create the volume unless it exists, and make this user and group, given as one number, its owner."""
    return f"""set -eu
docker volume create {shlex.quote(volume)} >/dev/null
{chown_volume(volume=volume, owner=owner, image=image).partition(chr(10))[2]}"""


def remove_volume(*, volume: str) -> str:
    """Remove the volume, waiting up to 20 seconds until it is unused.

    A volume that is still in use after that is kept, without an error: a host that leaves the swarm keeps its data.
    """
    return f"""set -eu
for _ in $(seq 20); do
  docker volume rm {shlex.quote(volume)} >/dev/null 2>&1 && exit 0
  docker volume inspect {shlex.quote(volume)} >/dev/null 2>&1 || exit 0
  sleep 1
done
echo 'volume {volume} is in use: it stays' >&2
"""


def leave_etcd(*, member: str) -> str:
    """Take the member of this name, whose service has the same one, out of etcd's cluster if it runs on this host."""
    return f"""set -eu
task() {{ docker ps --quiet --filter label=com.docker.swarm.service.name={shlex.quote(member)}; }}
leave() {{ docker exec "$(task)" sh /opt/postgres/leave_etcd.sh {shlex.quote(member)} >&2; }}
[ -n "$(task)" ] || exit 0
# A container ends when its member has left, and may take the script with it. The next one finds that all is done.
attempts=30
until leave; do
  attempts=$((attempts - 1))
  [ $attempts -gt 0 ] || exit 1
  sleep 1
done
"""


def deliver_prometheus_files(*, volume: str, image: str, owner: int, service: str) -> str:
    """Put the files on standard input into the volume, and make a running Prometheus reload them.

    On standard input, a line `==> PATH <==` precedes the lines of each file. If promtool rejects the files, the script
    fails and the volume keeps the earlier ones.
    """
    unpack = shlex.quote(_UNPACK_PROMETHEUS_FILES)
    return f"""set -eu
docker run --rm --interactive --user {owner}:{owner} --cap-drop ALL --network none --read-only \\
  --volume {shlex.quote(volume)}:/etc/prometheus:nocopy --entrypoint sh {shlex.quote(image)} -c {unpack} >&2
last_reload() {{
  docker exec "$1" wget -q -O - http://127.0.0.1:9090/metrics \\
    | grep -E '^prometheus_config_last_reload_(successful|success_timestamp_seconds) '
}}
for task in $(docker ps --quiet --filter label=com.docker.swarm.service.name={shlex.quote(service)}); do
  # One that still starts has not read its files yet.
  docker exec "$task" promtool check ready --url=http://127.0.0.1:9090 >/dev/null 2>&1 || continue
  before=$(last_reload "$task")
  docker kill --signal HUP "$task" >/dev/null
  attempts=60
  while [ "$(last_reload "$task" || true)" = "$before" ]; do
    attempts=$((attempts - 1))
    [ "$attempts" -gt 0 ] || break
    sleep 0.5
  done
  if [ "$(last_reload "$task" || true)" = "$before" ] || ! last_reload "$task" | grep -q 'successful 1$'; then
    echo 'Prometheus did not take its new configuration; its last words:' >&2
    docker logs --tail 5 "$task" >&2
    exit 1
  fi
done
"""


def inspect_service(name: str) -> str:
    """On a manager: print three JSON documents, the service, the list of its tasks and the list of all nodes."""
    tasks = shlex.quote("filters=" + json.dumps({"service": {name: True}}))
    return f"""set -eu
get() {{ curl --silent --show-error --fail --max-time 20 --unix-socket {_SOCKET} --get "$@"; }}
get {shlex.quote(f"http://docker/services/{name}")}
get --data-urlencode {tasks} http://docker/tasks
get http://docker/nodes
"""


def print_unanswered(urls: Iterable[str]) -> str:
    """Print the URLs that do not answer with a success status. Certificates are not verified."""
    return f"""for url in {" ".join(shlex.quote(url) for url in urls)}; do
  curl --silent --insecure --fail --noproxy '*' --max-time 5 --output /dev/null "$url" || echo "$url"
done
"""


def last_log_lines(name: str, *, lines: int = 15) -> str:
    """On a manager: print the last log lines of the task with this id, or of all tasks of the service of this name."""
    return f"timeout 20 docker service logs --tail {lines} --raw {shlex.quote(name)} 2>&1 | tail -n {lines}\n"


def _tags_of(repository: str) -> str:
    return f"docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' {shlex.quote(repository)}"
