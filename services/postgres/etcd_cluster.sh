# shellcheck shell=sh disable=SC2154 # the caller sets $url and $cluster
# Functions to ask etcd's cluster. All members have the DNS name `etcd`. $url is the peer URL of the
# member in question, and $cluster an address at which the cluster answers.

# Prints an address at which the cluster answers. Without a majority it does not.
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

# Prints that member's id, and whether it still is a learner: one that has no vote until it has all data.
entry_of_member() {
  ctl member list | awk -F ', ' -v url="$url" '$4 == url { print $1, $6 }'
}
