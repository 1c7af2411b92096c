# shellcheck shell=sh
# On a host with a task of SERVICE: sets $container, and $folder, where the file `variables` has those of our programs.
set -eu
container=$(docker ps --quiet --filter "name=^${SERVICE}[.]" | head -n 1)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The service gets its variables from its own command line, so another process in the container does not have them.
docker inspect --format '{{range .Args}}{{println .}}{{end}}' "$container" |
  grep -E '^(BACKUP|FILE_TRANSFER)_[A-Z0-9_]+=' >"$folder/variables"
