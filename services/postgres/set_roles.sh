#!/bin/sh
# Creates the roles and the file service's database, and gives all roles the secret's password. Patroni runs this with the
# event and PostgreSQL's role whenever PostgreSQL starts or changes its role.
set -eu
[ "$2" = primary ] || exit 0
# Patroni calls this while PostgreSQL is still being promoted, and does not call it again. Nothing can be written until
# then: with a new password, everybody would be shut out.
attempts=300
until [ "$(psql --no-psqlrc --tuples-only --no-align --host /tmp --dbname postgres --command 'SELECT pg_is_in_recovery()')" = f ]
do
  attempts=$((attempts - 1))
  if [ $attempts -le 0 ]; then
    echo 'the roles and their passwords are not set: PostgreSQL did not become a primary within a minute' >&2
    exit 1
  fi
  sleep 0.2
done
# A standby that does not know the password yet cannot connect, so nothing here may wait for a standby. Statements with
# the password must not get into the log.
exec psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --host /tmp --dbname postgres <<'SQL'
SET synchronous_commit = local;
SET log_statement = none;
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
SELECT format('CREATE ROLE %I LOGIN %s', name, option)
  FROM (VALUES ('file_transfer', ''), ('replicator', 'REPLICATION'), ('rewinder', '')) AS wanted (name, option)
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
SELECT format('CREATE DATABASE %I OWNER %I', name, name) FROM (VALUES ('file_transfer')) AS wanted (name)
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
\set password `cat /run/secrets/password`
ALTER ROLE file_transfer PASSWORD :'password';
-- The file service asks whether a synchronous standby is there before it accepts an upload.
GRANT pg_read_all_stats TO file_transfer;
ALTER ROLE replicator PASSWORD :'password';
ALTER ROLE rewinder PASSWORD :'password';
-- Patroni makes these two roles itself in a new database, but not in one that fit_data.sh has made. This is all that
-- pg_rewind needs.
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text),
  pg_read_binary_file(text, bigint, bigint, boolean) TO rewinder;
SQL
