# shellcheck shell=sh
# Prints both join tokens as one JSON object.
set -eu
worker=$(docker swarm join-token --quiet worker)
manager=$(docker swarm join-token --quiet manager)
printf '{"worker": "%s", "manager": "%s"}' "$worker" "$manager"
