# shellcheck shell=sh
# Prints the token with which a host joins the swarm in this ROLE.
set -eu
docker swarm join-token --quiet "$ROLE"
