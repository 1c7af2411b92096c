# shellcheck shell=sh
# Removes the ended tasks' containers that Swarm keeps for their logs, and that still hold VOLUME.
set -eu
ended() {
  docker ps --all --quiet \
    --filter "volume=$VOLUME" --filter label=com.docker.swarm.task \
    --filter status=created --filter status=exited --filter status=dead
}
# Swarm may be removing one of them at the same time.
attempts=30
while containers=$(ended) && [ -n "$containers" ]; do
  # shellcheck disable=SC2086 # the containers are several words
  if error=$(docker rm $containers 2>&1 >/dev/null); then break; fi
  attempts=$((attempts - 1))
  [ "$attempts" -gt 0 ] || { echo "$error" >&2; exit 1; }
  sleep 1
done
