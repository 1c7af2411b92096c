# shellcheck shell=sh
# What the other hosts with the index say. One of them may have the database while it is only starting.

# Prints what Patroni says on the host $1, once it says something. An answer with status 503 is one, too.
ask_peer() {
  until state=$(wget --quiet --timeout 3 --tries 1 --content-on-error --ca-certificate /run/secrets/authority.pem -O - \
    "https://$1:8008/patroni") || [ -n "$state" ]; do
    echo "waiting for $1, which may have the database" >&2
    sleep 1
  done
  echo "$state"
}
