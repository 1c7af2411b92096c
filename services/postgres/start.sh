#!/bin/sh
# Starts Patroni, which starts PostgreSQL. All passwords are the secret's. What differs between hosts is in the
# environment: PATRONI_NAME and the addresses.
set -eu
/opt/postgres/fit_data.sh
config=/etc/patroni/patroni.yml
PATRONI_REPLICATION_PASSWORD=$(cat /run/secrets/password)
PATRONI_REWIND_PASSWORD=$PATRONI_REPLICATION_PASSWORD
export PATRONI_REPLICATION_PASSWORD PATRONI_REWIND_PASSWORD
export PATRONI_SUPERUSER_USERNAME=patroni PATRONI_REPLICATION_USERNAME=replicator PATRONI_REWIND_USERNAME=rewinder
export PGSERVICEFILE=/opt/postgres/pg_service.conf PGSERVICE=peers
# The settings that all hosts share are in etcd, and Patroni reads them from the file only when it makes a new database.
until error=$(patronictl --config-file $config edit-config --force --quiet --replace /etc/patroni/shared.json 2>&1); do
  case $error in
    *"does not exist"*) break ;; # there is no database yet
  esac
  echo "the shared settings cannot be written to etcd: $error" >&2
  sleep 1
done
exec patroni $config
