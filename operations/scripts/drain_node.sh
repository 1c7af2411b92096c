# shellcheck shell=sh
# On a manager: stops the tasks on NODE, so that Swarm starts them on other nodes if it may. Waits until none runs there.
set -eu
change_node update --availability drain "$NODE"
waited=0
while true; do
  tasks=$(docker node ps "$NODE" --format '{{.CurrentState}}')
  echo "$tasks" | grep -q '^Running' || exit 0
  if [ "$waited" -ge "$LIMIT" ]; then
    echo "its tasks did not end within $LIMIT seconds:" >&2
    docker node ps "$NODE" >&2
    exit 1
  fi
  sleep 1
  waited=$((waited + 1))
done
