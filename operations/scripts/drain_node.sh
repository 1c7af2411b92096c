# shellcheck shell=sh
# On a manager: drains NODE, and waits at most LIMIT seconds for its tasks.
set -eu
drain "$NODE" "$LIMIT"
