# shellcheck shell=sh
# Makes OWNER, a user's and a group's number, the owner of the top folder of VOLUME.
set -eu
docker run --rm --user 0:0 --cap-drop ALL --cap-add CHOWN --network none --read-only \
  --volume "$VOLUME:/volume" --entrypoint chown "$IMAGE" "$OWNER:$OWNER" /volume >/dev/null
