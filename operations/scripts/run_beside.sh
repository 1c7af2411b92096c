# shellcheck shell=sh
# On a host with a task of SERVICE: runs the Python MODULE of its image with the arguments, and INPUT on its standard
# input.
set -eu
container=$(docker ps --quiet --filter "name=^${SERVICE}[.]" | head -n 1)
# The service gets its variables from its own command line, so another process in the container does not have them.
variables=$(mktemp)
trap 'rm -f "$variables"' EXIT
docker inspect --format '{{range .Args}}{{println .}}{{end}}' "$container" |
  grep -E '^(BACKUP|FILE_TRANSFER)_[A-Z0-9_]+=' >"$variables"
printf '%s' "$INPUT" | docker exec -i --env-file "$variables" "$container" python3 -m "$MODULE" "$@"
