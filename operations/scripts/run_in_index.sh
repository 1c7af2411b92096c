# shellcheck shell=sh disable=SC2154 # find_container.sh sets $container
# After find_container.sh: runs index.sh of the index's image with the arguments.
docker exec "$container" /opt/postgres/index.sh "$@"
