# shellcheck shell=sh
# Unlocks this host's manager with KEY if it is locked, and prints whether it was.
set -eu
case $(docker info --format '{{.Swarm.LocalNodeState}}') in
  locked)
    printf '%s\n' "$KEY" | docker swarm unlock
    echo unlocked
    ;;
  pending)
    echo 'its Docker Engine is still starting' >&2
    exit 1
    ;;
esac
