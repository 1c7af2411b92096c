# shellcheck shell=sh
# On a manager: replaces both tokens with which hosts join the swarm. NODES are those that have joined, with their roles:
# when they change, the script runs again.
set -eu
: "$NODES"
for role in worker manager; do
  change_swarm swarm join-token --rotate --quiet "$role"
done
