# shellcheck shell=sh
# Pulls the images in the arguments unless they are present. One that cannot be pulled is left to Swarm.
for image in "$@"; do
  docker image inspect "$image" >/dev/null 2>&1 || docker pull --quiet "$image" >/dev/null ||
    echo "$image is not pulled in advance" >&2
done
