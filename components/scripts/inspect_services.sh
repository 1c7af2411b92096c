# shellcheck shell=sh
# On a manager: prints three JSON documents, the lists of the services that SERVICES selects, of the tasks that TASKS
# selects, and of all nodes.
set -eu
get() { curl --silent --show-error --fail --max-time 20 --unix-socket /var/run/docker.sock --get "$@"; }
get --data-urlencode "filters=$SERVICES" http://docker/services
get --data-urlencode "filters=$TASKS" http://docker/tasks
get http://docker/nodes
