# shellcheck shell=sh
# Joins the swarm with the request on standard input unless this host is in one, and prints the node's id.
#
# It calls the Engine API because `docker swarm join` takes the token only as an argument, which `ps` shows.
set -eu
if [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = inactive ]; then
  curl --silent --show-error --fail-with-body --max-time 120 --unix-socket /var/run/docker.sock \
    --header 'Content-Type: application/json' --data-binary @- http://docker/swarm/join >&2
else
  cat >/dev/null
fi
docker info --format '{{.Swarm.NodeID}}'
