# shellcheck shell=sh
# Creates VOLUME unless it exists. chown_volume.sh follows it.
set -eu
docker volume create "$VOLUME" >/dev/null
