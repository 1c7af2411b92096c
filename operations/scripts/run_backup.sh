# shellcheck shell=sh
# On the host of the service `backup`: runs its program with the arguments, and INPUT on its standard input.
set -eu
container=$(docker ps --quiet --filter 'name=^backup[.]1[.]' | head -n 1)
# The service gets its variables from its own command line, so another process in the container does not have them.
variables=$(mktemp)
trap 'rm -f "$variables"' EXIT
docker inspect --format '{{range .Args}}{{println .}}{{end}}' "$container" |
  grep -E '^(BACKUP|FILE_TRANSFER)_[A-Z0-9_]+=' >"$variables"
printf '%s' "$INPUT" | docker exec -i --env-file "$variables" "$container" python3 -m backup "$@"
