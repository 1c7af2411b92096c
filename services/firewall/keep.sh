#!/bin/sh
# Loads the rules and stays. When it is stopped, it removes them. When somebody else has removed them, for example by
# `nft flush ruleset`, it ends within a minute, so that Docker starts it again and it loads them. After six hours, it
# shuts out the hosts that were leaving when it started.
set -eu
cd "$(dirname "$0")"
trap 'sh ./unload.sh; exit 0' TERM
sh ./load.sh
minutes=0
while nft list table inet swarm_transfer >/dev/null; do
  sleep 60 &
  wait $!
  minutes=$((minutes + 1))
  [ "$minutes" -ne 360 ] || nft flush chain inet swarm_transfer leaving
done
echo 'the rules were removed by something else' >&2
exit 1
