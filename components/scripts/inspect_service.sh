# shellcheck shell=sh
# On a manager: prints three JSON documents, SERVICE, the list of its tasks, which FILTERS select, and that of all nodes.
set -eu
get() { curl --silent --show-error --fail --max-time 20 --unix-socket /var/run/docker.sock --get "$@"; }
get "http://docker/services/$SERVICE"
get --data-urlencode "filters=$FILTERS" http://docker/tasks
get http://docker/nodes
