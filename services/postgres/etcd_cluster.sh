# shellcheck shell=sh disable=SC2154 # the caller sets $url and $cluster
# Functions to ask etcd's cluster. All members have the DNS name `etcd`. $url is the peer URL of the
# member in question, and $cluster the URL of a member that has a majority.

# Prints the URL of a member that has a majority. A member's certificate has its name, not its address. The name of an
# address is SERVICE.NUMBER.TASK.NETWORK, and the service has the member's name. The name of a container's own address is
# its host name, which no certificate has.
find_cluster() {
  for address in $(getent ahostsv4 etcd | awk '{ print $1 }' | sort -u); do
    member=$(getent hosts "$address" | awk '{ sub(/[.].*/, "", $2); print $2 }')
    [ "$member" != "$(hostname)" ] || member=localhost
    if ETCDCTL_ENDPOINTS="https://$member:2379" etcdctl --command-timeout 3s member list >/dev/null 2>&1; then
      echo "https://$member:2379"
      return
    fi
  done
  return 1
}

ctl() {
  ETCDCTL_ENDPOINTS="$cluster" etcdctl --command-timeout 5s "$@"
}

# Prints that member's id, and whether it still is a learner: one that has no vote until it has all data.
entry_of_member() {
  ctl member list | awk -F ', ' -v url="$url" '$4 == url { print $1, $6 }'
}
