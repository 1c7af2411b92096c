#!/bin/sh
# Removes a member from etcd's cluster before its service is removed: leave_etcd.sh NAME. The last member stays.
#
# etcd ends when it is no longer a member, and this container with it. So this script may be killed after the removal,
# and has to be run again in the next container.
set -eu
url=https://$1:2380
# shellcheck source=services/postgres/etcd_cluster.sh
. /opt/postgres/etcd_cluster.sh

attempts=5
until cluster=$(find_cluster); do
  attempts=$((attempts - 1))
  if [ $attempts -le 0 ]; then
    echo "the cluster has no majority, so $1 cannot leave it" >&2
    exit 0
  fi
  sleep 1
done
entry=$(entry_of_member)
# A member cannot be asked to remove itself: it stops before it answers.
others=$(ctl member list | awk -F ', ' -v url="$url" '$4 != url && $5 { printf "%s%s", comma, $5; comma = "," }')
if [ -n "$entry" ] && [ -n "$others" ]; then
  touch /data/left
  ETCDCTL_ENDPOINTS="$others" etcdctl --command-timeout 5s member remove "${entry% *}"
fi
