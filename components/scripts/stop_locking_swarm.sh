# shellcheck shell=sh
# On a manager: turns the swarm's autolock off.
set -eu
change_swarm swarm update --autolock=false
