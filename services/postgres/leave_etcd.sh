#!/bin/sh
# Takes a member out of etcd's cluster before its service is removed: leave_etcd.sh NAME. The last member stays.
set -eu
url=http://$1:2380
attempts=30
while listed=$(etcdctl --endpoints http://127.0.0.1:2379 --command-timeout 3s member list); do
  id=$(echo "$listed" | awk -F ', ' -v url="$url" '$4 == url { print $1 }')
  # A member cannot be asked to remove itself: it stops before it answers.
  others=$(echo "$listed" | awk -F ', ' -v url="$url" '$4 != url && $5 { printf "%s%s", comma, $5; comma = "," }')
  if [ -z "$id" ] || [ -z "$others" ]; then exit 0; fi
  if etcdctl --endpoints "$others" --command-timeout 5s member remove "$id"; then exit 0; fi
  attempts=$((attempts - 1))
  [ $attempts -gt 0 ] || exit 1
  sleep 1
done
echo "the cluster has no majority, so $1 cannot leave it" >&2
