#!/bin/sh
# Creates or updates the database, the retention policy and the users, and then starts InfluxDB. So Prometheus never
# writes to a missing database, which would lose samples: it does not send again what InfluxDB refuses.
#
# Environment: START_DATABASE, START_RETENTION, and InfluxDB's own variables. Passwords: /run/secrets/writer and reader.
set -eu

# The setup uses a temporary InfluxDB, which only this container can reach and which requires no password.
INFLUXDB_HTTP_AUTH_ENABLED=false INFLUXDB_HTTP_BIND_ADDRESS=127.0.0.1:8087 influxd -config /dev/null &
setup=$!

# Statements are read from standard input, since other processes can see arguments.
run() { influx -host 127.0.0.1 -port 8087 >/tmp/output || { cat /tmp/output >&2; return 1; }; }
# InfluxDB fails if the policy or user exists already. The statements below then bring it up to date.
create() { influx -host 127.0.0.1 -port 8087 >/dev/null 2>&1 || true; }

until echo 'SHOW DATABASES' | influx -host 127.0.0.1 -port 8087 >/dev/null 2>&1; do
  kill -0 "$setup" || { echo 'InfluxDB did not start' >&2; exit 1; }
  sleep 0.2
done

writer=$(cat /run/secrets/writer)
reader=$(cat /run/secrets/reader)
# With 0s InfluxDB derives the shard duration from the retention. A fixed one would not allow a shorter retention later.
policy="\"kept\" ON \"$START_DATABASE\" DURATION $START_RETENTION REPLICATION 1 SHARD DURATION 0s DEFAULT"

run <<EOF
CREATE DATABASE "$START_DATABASE"
EOF
create <<EOF
CREATE RETENTION POLICY $policy
EOF
for user in admin writer reader; do
  create <<EOF
CREATE USER "$user" WITH PASSWORD '$(head -c 24 /dev/urandom | base64)'
EOF
done
# Without an administrator, InfluxDB would let anybody become one. Nobody needs this one, so its password is random.
run <<EOF
ALTER RETENTION POLICY $policy;
SET PASSWORD FOR "admin" = '$(head -c 24 /dev/urandom | base64)';
GRANT ALL PRIVILEGES TO "admin";
SET PASSWORD FOR "writer" = '$writer';
GRANT WRITE ON "$START_DATABASE" TO "writer";
SET PASSWORD FOR "reader" = '$reader';
GRANT READ ON "$START_DATABASE" TO "reader"
EOF

kill "$setup"
wait "$setup" || true
exec influxd -config /dev/null
