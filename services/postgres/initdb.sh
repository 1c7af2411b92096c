#!/bin/sh
# Makes a new, empty database. Patroni runs this on a host without one when etcd knows of none. etcd may have lost its
# data, so another host may still have the database: this one is made only when all others say that they have none.
set -eu
ask() { wget --quiet --timeout 3 --tries 1 --content-on-error --ca-certificate /run/secrets/authority.pem -O - "$1"; }
for peer in $POSTGRES_PEERS; do
  # An answer with status 503 is an answer, too.
  until state=$(ask "https://$peer:8008/patroni") || [ -n "$state" ]; do
    echo "waiting for $peer, which may have the database" >&2
    sleep 1
  done
  case $state in
    *'"role": "uninitialized"'*) ;;
    *)
      echo "$peer has the database: not making another one" >&2
      exit 1
      ;;
  esac
done
exec /opt/postgres/new_database.sh "$@"
