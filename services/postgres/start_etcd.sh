#!/bin/sh
# Starts a member of etcd: start_etcd.sh NAME new|join FLAG…
#
# A member that is not in the cluster joins it, also one that has lost its data. Only `new` makes a cluster, and only
# after nobody has answered for some seconds. All members have the DNS name `etcd`; their own is NAME.
set -eu
name=$1 mode=$2
shift 2
data=/data/etcd
url=http://$name:2380

# Prints an address at which the cluster answers.
find_cluster() {
  for address in $(getent ahostsv4 etcd | awk '{ print $1 }' | sort -u); do
    if etcdctl --endpoints "http://$address:2379" --command-timeout 3s member list >/dev/null 2>&1; then
      echo "http://$address:2379"
      return
    fi
  done
  return 1
}

ctl() {
  etcdctl --endpoints "$cluster" --command-timeout 5s "$@"
}

# Prints this member's id, and whether it still is a learner: one that has no vote until it has all data.
own_entry() {
  ctl member list | awk -F ', ' -v url="$url" '$4 == url { print $1, $6 }'
}

# Until it has a vote, the cluster works as it did before, whatever happens to this member.
gain_vote() {
  until [ "$(own_entry)" = "$1 false" ]; do
    ctl member promote "$1" >/dev/null 2>&1 || true
    sleep 1
  done
}

join() {
  while entry=$(own_entry) && [ -n "$entry" ]; do
    ctl member remove "${entry% *}" >/dev/null || sleep 1
  done
  until ctl member add "$name" --learner --peer-urls "$url" >/dev/null; do
    sleep 1 # only one member at a time may be without a vote
  done
  known=$(ctl member list | awk -F ', ' '{ split($4, part, "[/:]+"); printf "%s%s=%s", comma, part[2], $4; comma = "," }')
}

if cluster=$(find_cluster); then
  [ -n "$(own_entry)" ] || rm -rf $data # it left the cluster
fi
if [ -d $data/member ]; then
  known=$name=$url
  if [ -n "$cluster" ]; then
    entry=$(own_entry)
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
entry=$(own_entry)
gain_vote "${entry% *}" &
exec etcd "$@" --name="$name" --data-dir=$data --initial-cluster="$known" --initial-cluster-state=existing
