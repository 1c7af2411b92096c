#!/bin/sh
# What `python -m operations.upgrade_index` runs on each host with the index: index.sh VERB [MARK].
#
#   version      prints the major version of the data
#   close MARK   on the primary: ends all changes, gives the index and etcd this MARK, and prints "closed"
#   dump MARK    once the index has this MARK here, writes it to a file beside the data
#   forget MARK  once the index has this MARK here, removes that file, and what is left of an upgrade that was begun
#   open         on the primary: allows changes again, and prints "open"
#
# fit_data.sh of an image with a later version makes new data from the file.
set -eu
verb=$1 mark=${2:-}
data=/var/lib/postgresql/data
dump=$data/index.dump
# shellcheck source=services/postgres/patroni_etcd.sh
. /opt/postgres/patroni_etcd.sh

# A commit waits for the synchronous standby, for ever if there is none.
sql() {
  timeout 60 psql --quiet --no-psqlrc --tuples-only --no-align --set ON_ERROR_STOP=1 --host /tmp \
    --dbname file_transfer "$@" && return
  [ $? != 124 ] || echo 'PostgreSQL did not end this within a minute: has the primary a synchronous standby?' >&2
  return 1
}
found_mark() {
  sql --command "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
}

close() {
  # New sessions have only the reduced privileges. Older sessions are ended, and their unfinished changes are rolled back.
  # So nothing changes between this and the mark, or after it.
  sql --set mark="$mark" <<'SQL'
SET client_min_messages = error; -- a session that has ended meanwhile is no problem
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public FROM file_transfer;
SELECT now() AS revoked \gset
SELECT count(pg_terminate_backend(pid, 10000)) AS ignored FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() \gset
SELECT count(*) = 0 AS ended FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND backend_start <= :'revoked' \gset
\if :ended
\else
  \warn 'a session of the file service did not end within 10 seconds'
  SELECT 1 / 0;
\endif
SELECT format('COMMENT ON DATABASE file_transfer IS %L', :'mark') \gexec
SQL
}

# This may keep running after its caller's connection is lost. So only one runs at a time, and only while its mark is the
# latest. Otherwise it could leave a file of an index that has since been opened.
wait_for_turn() {
  exec 9>/tmp/index.lock
  flock 9
  attempts=60
  until [ "$(found_mark)" = "$mark" ]; do
    attempts=$((attempts - 1))
    [ $attempts -gt 0 ] || { echo 'this standby does not follow the primary, or this was run again' >&2; exit 1; }
    sleep 1
  done
}

case $verb in
  version) cat $data/PG_VERSION ;;
  close)
    recovers=$(sql --command 'SELECT pg_is_in_recovery()')
    if [ "$recovers" = f ]; then
      close
      patroni_etcd put /upgrade/closed "$mark" >/dev/null
      echo closed
    fi
    ;;
  dump)
    wait_for_turn
    rm -f $dump
    pg_dump --host /tmp --format custom --no-privileges --file $dump.part file_transfer
    echo "$mark" >$data/index.mark
    sync $dump.part $data/index.mark
    mv $dump.part $dump
    sync $data
    ;;
  forget)
    wait_for_turn
    rm -rf $dump $dump.part $data/index.mark $data.part $data-*.new
    sync $data
    # A later upgrade must not take these for its own.
    keys=$(patroni_etcd get --prefix --keys-only /service/)
    for other in $(echo "$keys" | sed -n 's#^\(/service/[^/]*/\).*#\1#p' | sort -u); do
      [ "$other" = "/service/$scope/" ] || patroni_etcd del --prefix "$other" >/dev/null
    done
    ;;
  open)
    recovers=$(sql --command 'SELECT pg_is_in_recovery()')
    if [ "$recovers" = f ]; then
      patroni_etcd del /upgrade/closed >/dev/null # no file is good from here on, wherever one is left
      sql <<'SQL'
GRANT INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO file_transfer;
COMMENT ON DATABASE file_transfer IS NULL;
SQL
      echo open
    fi
    ;;
esac
