# shellcheck shell=sh
# Defines change_swarm, change_node, drain and await_demotion.

# change_swarm runs `docker` with its arguments. The swarm refuses a change if the node, which may have just joined,
# changes by itself at the same time, or if the swarm's leader changes. It is then repeated.
change_swarm() {
  attempts=20
  until failure=$(docker "$@" 2>&1 >/dev/null); do
    case $failure in
      *'update out of sequence'* | *'lost leader status'* | *'does not have a leader'*) attempts=$((attempts - 1)) ;;
      *) attempts=0 ;;
    esac
    if [ $attempts -le 0 ]; then
      echo "$failure" >&2
      return 1
    fi
    sleep 1
  done
}

change_node() { change_swarm node "$@"; }

# drain stops the tasks on node $1, so that Swarm starts them on other nodes if it may, and waits at most $2 seconds
# until none runs there. A node that is down does not say when its tasks end, and is not waited for.
drain() {
  change_node update --availability drain "$1"
  waited=0
  while true; do
    state=$(docker node inspect "$1" --format '{{.Status.State}}')
    [ "$state" = ready ] || return 0
    tasks=$(docker node ps "$1" --format '{{.CurrentState}}')
    echo "$tasks" | grep -q '^Running' || return 0
    if [ "$waited" -ge "$2" ]; then
      echo "its tasks did not end within $2 seconds:" >&2
      docker node ps "$1" >&2
      return 1
    fi
    sleep 1
    waited=$((waited + 1))
  done
}

# await_demotion waits at most a minute until a node has no vote among the managers. If the node left before, the others
# could lose their majority.
await_demotion() {
  attempts=60
  while [ -n "$(docker node inspect "$1" --format '{{if .ManagerStatus}}manager{{end}}')" ]; do
    attempts=$((attempts - 1))
    if [ $attempts -le 0 ]; then
      echo "node $1 is still a manager: are the other managers up?" >&2
      return 1
    fi
    sleep 1
  done
}
