# shellcheck shell=sh
# On a manager: replaces both tokens with which hosts join the swarm. NODES are those that have joined: when they change,
# the script runs again.
set -eu
: "$NODES"
for role in worker manager; do
  attempts=20
  # The swarm refuses the change if something else changes at the same time.
  until failure=$(docker swarm join-token --rotate --quiet "$role" 2>&1 >/dev/null); do
    attempts=$((attempts - 1))
    if [ $attempts -le 0 ]; then
      echo "$failure" >&2
      exit 1
    fi
    sleep 1
  done
done
