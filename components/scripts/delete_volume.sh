# shellcheck shell=sh
# Removes VOLUME, and before it the ended tasks' containers that Swarm keeps for their logs, and that still hold it. Tasks
# that are ending have a minute.
set -eu
ended() {
  docker ps --all --quiet \
    --filter "volume=$VOLUME" --filter label=com.docker.swarm.task \
    --filter status=created --filter status=exited --filter status=dead
}
attempts=60
while docker volume inspect "$VOLUME" >/dev/null 2>&1; do
  # Swarm may be removing the same containers.
  # shellcheck disable=SC2046 # the containers are several words
  docker rm $(ended) >/dev/null 2>&1 || true
  if error=$(docker volume rm "$VOLUME" 2>&1 >/dev/null); then break; fi
  attempts=$((attempts - 1))
  [ "$attempts" -gt 0 ] || { echo "$error" >&2; exit 1; }
  sleep 1
done
