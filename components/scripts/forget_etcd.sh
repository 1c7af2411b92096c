# shellcheck shell=sh
# Takes the member LOST out of etcd's cluster, through MEMBER, whose service has the same name and runs on this host.
set -eu
forget() {
  task=$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$MEMBER")
  docker exec "$task" sh /opt/postgres/forget_etcd.sh "$LOST" >&2
}
# After a change of its cluster, etcd refuses the next one for some seconds.
attempts=30
until forget; do
  attempts=$((attempts - 1))
  [ $attempts -gt 0 ] || exit 1
  sleep 1
done
