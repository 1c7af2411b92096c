# shellcheck shell=sh
# Creates the swarm on this host unless it is in the swarm of STACK already, and prints the node's id.
# The arguments are further options of the new swarm. Its nodes report every HEARTBEAT seconds.
set -eu
if [ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = inactive ]; then
  # Addresses are explicit: the first interface of a Vagrant box is NAT.
  docker swarm init --advertise-addr "$ADDRESS" --listen-addr "$ADDRESS:2377" --data-path-addr "$ADDRESS" "$@" >/dev/null
  node=$(docker info --format '{{.Swarm.NodeID}}')
  docker node update --label-add "$CLUSTER_LABEL=$STACK" "$node" >/dev/null
fi
label=$(docker node inspect self --format "{{index .Spec.Labels \"$CLUSTER_LABEL\"}}")
if [ "$label" != "$STACK" ]; then
  echo 'this host is in another swarm: run docker swarm leave --force on it' >&2
  exit 1
fi
nanoseconds=$(docker info --format '{{json .Swarm.Cluster.Spec.Dispatcher.HeartbeatPeriod}}')
if [ "$nanoseconds" != "${HEARTBEAT}000000000" ]; then
  change_swarm swarm update --dispatcher-heartbeat "${HEARTBEAT}s"
fi
docker info --format '{{.Swarm.NodeID}}'
