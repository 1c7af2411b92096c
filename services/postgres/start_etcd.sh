#!/bin/sh
# Starts a member of etcd: start_etcd.sh NAME new|join FLAG…
#
# A member that is not in the cluster joins it, also one that has lost its data. Only `new` makes a cluster, and only
# after nobody has answered for some seconds. NAME is the member's DNS name.
set -eu
name=$1 mode=$2
shift 2
data=/data/etcd
left=/data/left # exists from when the member leaves the cluster: see leave_etcd.sh
url=https://$name:2380
# shellcheck source=services/postgres/etcd_cluster.sh
. /opt/postgres/etcd_cluster.sh

# Until it has a vote, the cluster works as it did before, whatever happens to this member.
gain_vote() {
  until [ "$(entry_of_member)" = "$1 false" ]; do
    ctl member promote "$1" >/dev/null 2>&1 || true
    sleep 1
  done
}

join() {
  while entry=$(entry_of_member) && [ -n "$entry" ]; do
    ctl member remove "${entry% *}" >/dev/null || sleep 1
  done
  until ctl member add "$name" --learner --peer-urls "$url" >/dev/null; do
    sleep 1 # only one member at a time may be without a vote
  done
  known=$(ctl member list | awk -F ', ' '{ split($4, part, "[/:]+"); printf "%s%s=%s", comma, part[2], $4; comma = "," }')
}

if cluster=$(find_cluster) && [ -z "$(entry_of_member)" ]; then
  if [ -e $left ]; then
    # Swarm starts it again because etcd has ended. It must not join again before its service is removed.
    rm $left
    sleep 60
  fi
  rm -rf $data
fi
if [ -d $data/member ]; then
  known=$name=$url
  if [ -n "$cluster" ]; then
    entry=$(entry_of_member)
    gain_vote "${entry% *}" &
  fi
  exec etcd "$@" --name="$name" --data-dir=$data --initial-cluster="$known"
fi

attempts=8
while [ -z "$cluster" ] && ! cluster=$(find_cluster); do
  attempts=$((attempts - 1))
  if [ "$mode" = new ] && [ $attempts -le 0 ]; then
    exec etcd "$@" --name="$name" --data-dir=$data --initial-cluster="$name=$url" --initial-cluster-state=new
  fi
  sleep 1
done
join
entry=$(entry_of_member)
gain_vote "${entry% *}" &
exec etcd "$@" --name="$name" --data-dir=$data --initial-cluster="$known" --initial-cluster-state=existing
