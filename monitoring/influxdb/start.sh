#!/bin/sh
# Starts InfluxDB with its database, retention policy and users in place, whatever was there before: Prometheus never
# writes to a database that is not there, since what InfluxDB refuses is lost for good.
#
# Environment: START_DATABASE, START_RETENTION, and InfluxDB's own. Passwords: /run/secrets/writer and reader.
set -eu

# All is prepared by a first InfluxDB that only this container can reach, and that asks for no password.
INFLUXDB_HTTP_AUTH_ENABLED=false INFLUXDB_HTTP_BIND_ADDRESS=127.0.0.1:8087 influxd -config /dev/null &
preparing=$!

# Statements come on standard input: arguments are for every process to see.
run() { influx -host 127.0.0.1 -port 8087 >/tmp/answer || { cat /tmp/answer >&2; return 1; }; }
# What is there already is an error to InfluxDB; that it is as asked is seen to afterwards.
create() { influx -host 127.0.0.1 -port 8087 >/dev/null 2>&1 || true; }

until echo 'SHOW DATABASES' | influx -host 127.0.0.1 -port 8087 >/dev/null 2>&1; do
  kill -0 "$preparing" || { echo 'InfluxDB did not start' >&2; exit 1; }
  sleep 0.2
done

writer=$(cat /run/secrets/writer)
reader=$(cat /run/secrets/reader)
# Shards of 0s are of whatever length suits the duration; kept as they are, they would forbid a shorter one.
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
# Without an administrator, InfluxDB would let anybody become one. Nobody needs this one: nobody knows its password.
run <<EOF
ALTER RETENTION POLICY $policy;
SET PASSWORD FOR "admin" = '$(head -c 24 /dev/urandom | base64)';
GRANT ALL PRIVILEGES TO "admin";
SET PASSWORD FOR "writer" = '$writer';
GRANT WRITE ON "$START_DATABASE" TO "writer";
SET PASSWORD FOR "reader" = '$reader';
GRANT READ ON "$START_DATABASE" TO "reader"
EOF

kill "$preparing"
wait "$preparing" || true
exec influxd -config /dev/null
