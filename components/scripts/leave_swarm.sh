# shellcheck shell=sh
# Leaves any swarm that this host is in, and removes the bridge network that joining created.
set -eu
if [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" != inactive ]; then
  docker swarm leave --force >/dev/null
fi
docker network rm docker_gwbridge >/dev/null 2>&1 || true
