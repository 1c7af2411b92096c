# shellcheck shell=sh
# Prints what the Engine answers when it logs in to a registry, and the status in a line of its own.
#
# LOGIN is the body of the request to the Engine's API, which keeps nothing of it. `docker login` would write a file.
set -eu
printf '%s' "$LOGIN" | curl --silent --show-error --max-time 50 --unix-socket /var/run/docker.sock \
  --header 'Content-Type: application/json' --data-binary @- --write-out '\n%{http_code}\n' http://docker/auth
