# shellcheck shell=sh disable=SC2034 # the caller reads $scope
# What a script needs to ask etcd for what Patroni keeps there: $scope is the cluster's name.

scope=$(sed -n 's/^scope: //p' /etc/patroni/patroni.yml)

patroni_etcd() {
  ETCDCTL_ENDPOINTS=https://etcd:2379 ETCDCTL_CACERT=/run/secrets/etcd-authority.pem \
    ETCDCTL_CERT=/run/secrets/etcd-client.pem ETCDCTL_KEY=/run/secrets/etcd-client.pem etcdctl "$@"
}
