# shellcheck shell=sh
# Makes OWNER, a user's and a group's number, the owner of VOLUME and of all that is in it.
set -eu
docker run --rm --user 0:0 --cap-drop ALL --cap-add CHOWN --cap-add DAC_READ_SEARCH --network none --read-only \
  --volume "$VOLUME:/volume" --entrypoint chown "$IMAGE" -R "$OWNER:$OWNER" /volume >/dev/null
