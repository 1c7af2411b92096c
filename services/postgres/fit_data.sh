#!/bin/sh
# Before Patroni starts: if the data is of an earlier major version than this image's PostgreSQL, puts new data in its
# place, or refuses to start and leaves the data as it is.
#
# `python -m operations.upgrade_index` has closed the index to changes, and written it to a file beside the data. The
# first host makes new data from its file. The others find that etcd or another host knows the new version's cluster,
# and leave it to Patroni to copy the new data. The old data is kept beside the new, until somebody removes it.
#
# This may be killed at any point, and does the right thing when it runs again, in this image or in the one before.
set -eu
root=/var/lib/postgresql
data=$root/data
new=$data-$POSTGRES_MAJOR.new # whole new data, on its way to its place
part=$data.part
bin=/usr/lib/postgresql/$POSTGRES_MAJOR/bin
# shellcheck source=services/postgres/patroni_etcd.sh
. /opt/postgres/patroni_etcd.sh
# shellcheck source=services/postgres/peers.sh
. /opt/postgres/peers.sh

is_initialized() {
  until sysid=$(patroni_etcd get --print-value-only "/service/$scope/initialize"); do
    echo 'etcd, which knows whether there is new data, does not answer' >&2
    sleep 1
  done
  [ -z "$sysid" ] || return 0
  # A host that has just made the new data may not have told etcd yet.
  for peer in $POSTGRES_PEERS; do
    case $(ask_peer "$peer") in
      *'"role": "uninitialized"'*) ;;
      *"\"scope\": \"$scope\""*) return 0 ;;
    esac
  done
  return 1
}

# The file is good only while the index is closed as it was then. One from an earlier time may have come with a copy of
# another host's data.
has_dump() {
  [ -e $data/index.dump ] || return 1
  until closed=$(patroni_etcd get --print-value-only /upgrade/closed); do
    echo 'etcd, which knows since when the index is closed, does not answer' >&2
    sleep 1
  done
  [ -n "$closed" ] && [ "$closed" = "$(cat $data/index.mark)" ]
}

make_new_data() {
  rm -rf "$new" $part
  /opt/postgres/new_database.sh --pgdata $part
  # The data keeps the limits of its last server, and Patroni would not start it with lower ones.
  limits=$(sed -n 's/^ *"\(max_connections\|max_worker_processes\|shared_buffers\)": "\{0,1\}\([0-9A-Z]*\).*/-c \1=\2/p' \
    /etc/patroni/shared.json | tr '\n' ' ')
  "$bin/pg_ctl" --pgdata $part --silent --wait --timeout 600 start \
    --options "-c listen_addresses= -c unix_socket_directories=/tmp $limits"
  /opt/postgres/set_roles.sh on_start primary
  "$bin/pg_restore" --host /tmp --dbname file_transfer --exit-on-error $data/index.dump
  "$bin/vacuumdb" --host /tmp --dbname file_transfer --analyze-only --quiet
  "$bin/pg_ctl" --pgdata $part --silent --wait --timeout 600 --mode fast stop
  # Where Patroni keeps the shared settings. Without them it would begin with its own defaults, which need no standby.
  # The file must be writable, or pg_rewind fails.
  cat /etc/patroni/shared.json >$part/patroni.dynamic.json
  sync
  mv -T $part "$new"
}

# A copy that was interrupted lacks its last file, and Patroni would not start it again. The host's old data is beside it.
if [ -e $data ] && [ ! -e $data/global/pg_control ]; then
  for kept in "$data"-*; do
    case $kept in
      *.new) ;;
      *) if [ -e "$kept" ]; then rm -rf $data; fi ;;
    esac
  done
fi
if [ ! -e $data ]; then
  if [ -e "$new" ]; then # this was killed just before its end
    mv -T "$new" $data
  elif [ -e "$data-$POSTGRES_MAJOR" ]; then # an update to a later version was rolled back
    mv -T "$data-$POSTGRES_MAJOR" $data
  fi
fi
found=$(cat $data/PG_VERSION 2>/dev/null) || exit 0 # there is no data, or only a part of a copy
[ "$found" != "$POSTGRES_MAJOR" ] || exit 0
mismatch="$data has the data of PostgreSQL $found, and this image has PostgreSQL $POSTGRES_MAJOR. It was left as it is"
if [ "$found" -gt "$POSTGRES_MAJOR" ]; then
  echo "$mismatch. Run the release with PostgreSQL $found: docs/operations/data.md says how to go back" >&2
  exit 1
fi
if is_initialized; then
  rm -rf "$new"
elif has_dump; then
  make_new_data
else
  echo "$mismatch. Run \`python -m operations.upgrade_index\`, and then \`pulumi up\` again: see docs/operations/data.md" >&2
  exit 1
fi
mv -T $data "$data-$found"
[ ! -e "$new" ] || mv -T "$new" $data
