# shellcheck shell=sh disable=SC2154 # find_container.sh sets $container
# After find_container.sh: sets $folder. Its file `variables` has the environment variables of our programs.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The service gets its variables from its own command line, so another process in the container does not have them.
docker inspect --format '{{range .Args}}{{println .}}{{end}}' "$container" |
  grep -E '^(BACKUP|FILE_TRANSFER)_[A-Z0-9_]+=' >"$folder/variables"
