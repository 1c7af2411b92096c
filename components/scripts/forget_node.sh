# shellcheck shell=sh
# On a manager: removes the node with the label of HOST, which is gone, from the swarm.
set -eu
for node in $(docker node ls --quiet --filter "node.label=$HOST_LABEL=$HOST"); do
  change_node demote "$node"
  await_demotion "$node"
  change_node rm --force "$node"
done
