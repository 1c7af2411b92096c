#!/bin/sh
# Makes a new, empty database. Patroni runs this on a host without one when etcd knows of none. etcd may have lost its
# data, so another host may still have the database: this one is made only when all others say that they have none.
set -eu
# shellcheck source=services/postgres/peers.sh
. /opt/postgres/peers.sh
for peer in $POSTGRES_PEERS; do
  case $(ask_peer "$peer") in
    *'"role": "uninitialized"'*) ;;
    *)
      echo "$peer has the database: not making another one" >&2
      exit 1
      ;;
  esac
done
exec /opt/postgres/new_database.sh "$@"
