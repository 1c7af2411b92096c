# shellcheck shell=sh
# On a manager: prints three JSON documents, the lists of all nodes, of all services, and of the tasks that should run.
set -eu
get() { curl --silent --show-error --fail --max-time 20 --unix-socket /var/run/docker.sock --get "$@"; }
get http://docker/nodes
get http://docker/services
get --data-urlencode 'filters={"desired-state": ["running"]}' http://docker/tasks
