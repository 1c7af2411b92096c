# shellcheck shell=sh
# Sets $container to the first task of SERVICE on this host.
set -eu
container=$(docker ps --quiet --filter "name=^${SERVICE}[.]" | head -n 1)
[ -n "$container" ] || { echo "$SERVICE does not run" >&2; exit 1; }
