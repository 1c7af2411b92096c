# shellcheck shell=sh
# Defines run_image, which runs a program of IMAGE with the rights that the firewall needs. The arguments are options of
# `docker run` and the program's words. Without the host's network, the rules would be those of the container's own.
set -eu
run_image() {
  docker run --pull never --network host --user "$OWNER" --cap-drop ALL --cap-add NET_ADMIN --read-only \
    --security-opt no-new-privileges --memory 64m --pids-limit 20 "$@"
}
