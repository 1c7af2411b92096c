# shellcheck shell=sh
# On a manager: drains NODE, waits at most DRAIN_TIMEOUT seconds for its tasks, then removes it from the swarm.
set -eu
docker node inspect "$NODE" >/dev/null 2>&1 || exit 0
# The last node's tasks have nowhere to go, and leaving ends the swarm.
[ "$(docker node ls --quiet | wc -l)" -gt 1 ] || exit 0
if [ "$(docker node inspect self --format '{{.ID}}')" = "$NODE" ]; then
  echo 'this host commands the swarm: put another manager first in hosts, pulumi up, then remove this one' >&2
  exit 1
fi
drain "$NODE" "$DRAIN_TIMEOUT"
change_node demote "$NODE"
await_demotion "$NODE"
change_node rm --force "$NODE"
