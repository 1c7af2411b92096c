# shellcheck shell=sh
# On a manager: turns the swarm's autolock on, and prints the key by which managers are unlocked.
set -eu
change_swarm swarm update --autolock=true
docker swarm unlock-key --quiet
