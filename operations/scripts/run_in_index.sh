# shellcheck shell=sh
# On a host with the index: runs index.sh of its image with the arguments.
set -eu
container=$(docker ps --quiet --filter "name=^${SERVICE}[.]" | head -n 1)
[ -n "$container" ] || { echo "$SERVICE does not run" >&2; exit 1; }
docker exec "$container" /opt/postgres/index.sh "$@"
