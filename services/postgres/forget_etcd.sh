#!/bin/sh
# Removes a member whose host is gone from etcd's cluster: forget_etcd.sh NAME. The others must be a majority.
set -eu
url=https://$1:2380
# shellcheck source=services/postgres/etcd_cluster.sh
. /opt/postgres/etcd_cluster.sh

cluster=$(find_cluster) || { echo "etcd has no majority, so $1 cannot be removed: start its other members" >&2; exit 1; }
entry=$(entry_of_member)
[ -z "$entry" ] || ctl member remove "${entry% *}"
