# shellcheck shell=sh
# Takes MEMBER, whose service has the same name, out of etcd's cluster if it runs on this host.
set -eu
task() { docker ps --quiet --filter "label=com.docker.swarm.service.name=$MEMBER"; }
leave() { docker exec "$(task)" sh /opt/postgres/leave_etcd.sh "$MEMBER" >&2; }
[ -n "$(task)" ] || exit 0
# A container ends when its member has left, and may take the script with it. The next one finds that all is done.
attempts=30
until leave; do
  attempts=$((attempts - 1))
  [ $attempts -gt 0 ] || exit 1
  sleep 1
done
