# shellcheck shell=sh
# On a manager: stops the tasks on NODE and gives them to other nodes where they may run; waits until none runs there.
set -eu
change_node update --availability drain "$NODE"
waited=0
while docker node ps "$NODE" --format '{{.CurrentState}}' | grep -q '^Running'; do
  if [ "$waited" -ge "$SECONDS_TO_WAIT" ]; then
    echo "its tasks did not end within $SECONDS_TO_WAIT seconds:" >&2
    docker node ps "$NODE" >&2
    exit 1
  fi
  sleep 1
  waited=$((waited + 1))
done
