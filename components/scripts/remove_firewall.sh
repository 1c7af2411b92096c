# shellcheck shell=sh
# Removes the container NAME and its rules. It follows firewall_container.sh.
docker rm --force "$NAME" >/dev/null 2>&1 || true
run_image --rm "$IMAGE" sh /opt/firewall/unload.sh
