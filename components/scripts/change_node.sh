# shellcheck shell=sh
# Defines change_node and await_demotion.

# change_node runs `docker node` with its arguments. The swarm refuses a change if the node, which may have
# just joined, changes by itself at the same time, or if the swarm's leader changes. It is then repeated.
change_node() {
  attempts=20
  until failure=$(docker node "$@" 2>&1 >/dev/null); do
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
