#!/bin/bash
# Starts ssh and the Docker Engine, and ends with the Engine. AUTHORIZED_KEY may log in as vagrant;
# INSECURE_REGISTRY (host:port) is pulled from without TLS.
set -eu

install -d -m 0755 /run/sshd
install -d -m 0700 -o vagrant -g vagrant /home/vagrant/.ssh
install -m 0600 -o vagrant -g vagrant /dev/stdin /home/vagrant/.ssh/authorized_keys <<<"$AUTHORIZED_KEY"
ssh-keygen -A
/usr/sbin/sshd

options=(--storage-driver=overlay2 --log-level=warn)
if [ -n "${INSECURE_REGISTRY:-}" ]; then
  options+=("--insecure-registry=$INSECURE_REGISTRY")
fi
if [ -d /sys/fs/cgroup/pids ]; then
  # Control groups of version 1: the host's limits hold for its containers only if they are below it.
  options+=("--cgroup-parent=$(sed -n 's/^[0-9]*:pids://p' /proc/self/cgroup)")
fi
# A killed host leaves these, and the Engine takes a process with the same number for itself.
rm -rf /run/docker.pid /run/docker

trap 'kill -TERM "$engine"' TERM INT
dockerd "${options[@]}" &
engine=$!
# A signal ends the first wait: the second is for the Engine.
wait "$engine" || wait "$engine"
