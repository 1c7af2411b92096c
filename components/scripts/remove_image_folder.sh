# shellcheck shell=sh
# Removes FOLDER if it is empty.
set -eu
docker run --rm --user 0:0 --network none --read-only --cap-drop ALL --volume "${FOLDER%/*}:/above" \
  --entrypoint sh "$IMAGE" -c 'rmdir "/above/$1" 2>/dev/null || true' sh "${FOLDER##*/}"
