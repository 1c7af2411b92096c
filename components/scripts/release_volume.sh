# shellcheck shell=sh
# Removes the ended tasks' containers that Swarm keeps for their logs, and that still hold VOLUME.
set -eu
ended=$(docker ps --all --quiet \
  --filter "volume=$VOLUME" --filter label=com.docker.swarm.task \
  --filter status=created --filter status=exited --filter status=dead)
# shellcheck disable=SC2086 # the containers are several words
[ -z "$ended" ] || docker rm $ended >/dev/null
