# shellcheck shell=sh
# Defines change_node, which runs `docker node` with its arguments. A node that has just joined changes by itself at the
# same time, and the swarm then refuses the change: it is repeated.
change_node() {
  attempts=20
  until failure=$(docker node "$@" 2>&1 >/dev/null); do
    case $failure in
      *'update out of sequence'*) attempts=$((attempts - 1)) ;;
      *) attempts=0 ;;
    esac
    if [ $attempts -le 0 ]; then
      echo "$failure" >&2
      return 1
    fi
    sleep 1
  done
}
