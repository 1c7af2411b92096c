# shellcheck shell=sh
# On a manager: prints two JSON documents, the list of all nodes and that of all services with their numbers of tasks.
set -eu
get() { curl --silent --show-error --fail --max-time 20 --unix-socket /var/run/docker.sock "$1"; }
get http://docker/nodes
get 'http://docker/services?status=true'
