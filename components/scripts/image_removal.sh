# shellcheck shell=sh
# Functions that remove images. Swarm keeps the containers of a few ended tasks for their logs; these are removed with
# the image. Containers that are not Swarm's are left alone.
set -eu

# Removes the image $1, or says why it cannot be removed.
remove() {
  ended=$(docker ps --all --quiet \
    --filter "ancestor=$1" --filter label=com.docker.swarm.task --filter status=exited)
  # shellcheck disable=SC2086 # the containers are several words
  [ -z "$ended" ] || docker rm $ended >/dev/null
  docker image rm "$1" >/dev/null
}

# Removes these images, waiting up to about a minute until no task uses them.
remove_all() {
  attempts=60
  for image in "$@"; do
    while docker image inspect "$image" >/dev/null 2>&1 && ! error=$(remove "$image" 2>&1); do
      attempts=$((attempts - 1))
      [ "$attempts" -gt 0 ] || { echo "$error" >&2; exit 1; }
      sleep 1
    done
  done
}

# Prints the references of the repository $1's images. One that was pulled by its digest has no tag, and since version 29
# is listed with all images only.
references_of() {
  docker image ls --all --digests "$1" --format \
    '{{.Repository}}{{if eq .Tag "<none>"}}@{{.Digest}}{{else}}:{{.Tag}}{{end}}'
}
