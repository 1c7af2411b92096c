# shellcheck shell=sh
# Creates FOLDER on the host, unless it exists: Docker creates the host's path of a volume if it is missing.
set -eu
docker run --rm --network none --read-only --cap-drop ALL --volume "$FOLDER:/folder:ro" --entrypoint true "$IMAGE"
