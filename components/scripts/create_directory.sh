# shellcheck shell=sh
# Creates DIRECTORY on the host unless it exists, and makes OWNER, a user's and a group's number, its owner. One that
# belongs to somebody else and has anything but backups in it is left alone.
set -eu
# shellcheck disable=SC2016 # the container's shell reads it
docker run --rm --user 0:0 --cap-drop ALL --cap-add CHOWN --cap-add FOWNER --cap-add DAC_READ_SEARCH --network none \
  --read-only --volume "$DIRECTORY:/directory" --entrypoint sh "$IMAGE" -euc '
    if [ ! -d /directory ]; then
      echo "$1 is not a directory: name another one in backup.directory" >&2
      exit 1
    fi
    [ "$(stat -c "%u:%g %a" /directory)" != "$2 700" ] || exit 0
    if [ -n "$(ls -A /directory)" ] && [ ! -e /directory/config ]; then
      echo "$1 has other files: name a new directory in backup.directory, or an empty one" >&2
      exit 1
    fi
    chown "$2" /directory
    chmod 700 /directory' sh "$DIRECTORY" "$OWNER:$OWNER"
