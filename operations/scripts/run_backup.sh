# shellcheck shell=sh
# On the host of the service `backup`: runs its program with the arguments, and INPUT on its standard input.
set -eu
container=$(docker ps --quiet --filter 'name=^backup[.]1[.]' | head -n 1)
# The service's variables are in its command line, where another process of the container does not get them.
variables=$(mktemp)
trap 'rm -f "$variables"' EXIT
docker inspect --format '{{range .Args}}{{println .}}{{end}}' "$container" |
  grep -E '^(BACKUP|FILE_TRANSFER)_[A-Z0-9_]+=' >"$variables"
printf '%s' "$INPUT" | docker exec -i --env-file "$variables" "$container" python3 -m backup "$@"
