#!/bin/bash
# Starts ssh, containerd and the Docker Engine, and exits with the Engine.
# AUTHORIZED_KEY is the public key that may log in as vagrant. INSECURE_REGISTRY (host:port) is a registry without TLS.
set -eu

install -d -m 0755 /run/sshd
install -d -m 0700 -o vagrant -g vagrant /home/vagrant/.ssh
install -m 0600 -o vagrant -g vagrant /dev/stdin /home/vagrant/.ssh/authorized_keys <<<"$AUTHORIZED_KEY"
ssh-keygen -A
/usr/sbin/sshd

options=(--log-level=warn)
if [ -n "${INSECURE_REGISTRY:-}" ]; then
  options+=("--insecure-registry=$INSECURE_REGISTRY")
fi
if [ -d /sys/fs/cgroup/pids ]; then
  # With cgroups v1, the limits of the host apply to its containers only if their cgroups are below the host's.
  options+=("--cgroup-parent=$(sed -n 's/^[0-9]*:pids://p' /proc/self/cgroup)")
fi
# A killed host leaves these files behind. The Engine would take another process with the recorded id for itself.
rm -rf /run/docker.pid /run/docker /run/containerd

# The Engine uses a containerd that it finds at its start, as on any host where both are installed as packages.
containerd --log-level=warn &
containerd=$!
until [ -S /run/containerd/containerd.sock ]; do
  kill -0 "$containerd"
  sleep 0.1
done
trap 'kill -TERM "$engine"' TERM INT
dockerd "${options[@]}" &
engine=$!
# A signal interrupts the first wait. The second one waits for the Engine to end.
wait "$engine" || wait "$engine"
