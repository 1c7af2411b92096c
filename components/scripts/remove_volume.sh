# shellcheck shell=sh
# Removes VOLUME, waiting up to 20 seconds until it is unused. One that is still in use then stays, without an error.
set -eu
for _ in $(seq 20); do
  docker volume rm "$VOLUME" >/dev/null 2>&1 && exit 0
  docker volume inspect "$VOLUME" >/dev/null 2>&1 || exit 0
  sleep 1
done
echo "volume $VOLUME is in use: it stays" >&2
