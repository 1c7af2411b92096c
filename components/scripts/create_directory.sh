# shellcheck shell=sh
# Creates DIRECTORY on the host unless it exists, and makes OWNER, a user's and a group's number, its owner.
set -eu
docker run --rm --user 0:0 --cap-drop ALL --cap-add CHOWN --cap-add FOWNER --network none --read-only \
  --volume "$DIRECTORY:/directory" --entrypoint sh "$IMAGE" -c 'chown "$1" /directory && chmod 700 /directory' \
  sh "$OWNER:$OWNER"
