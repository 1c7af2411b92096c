# shellcheck shell=sh
# On a manager: lets tasks run on NODE again.
set -eu
change_node update --availability active "$NODE"
