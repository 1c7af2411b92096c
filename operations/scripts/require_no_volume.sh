# shellcheck shell=sh
# Fails if there is a volume VOLUME.
set -eu
if docker volume inspect "$VOLUME" >/dev/null 2>&1; then
  echo "volume $VOLUME is still in use: end the container that uses it" >&2
  exit 1
fi
