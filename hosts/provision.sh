#!/bin/bash
# Turns a fresh Debian 13 box into a host of the cluster. Vagrant runs it as root; running it again changes nothing.
# $1: the public key that may log in as vagrant. It replaces Vagrant's well-known insecure key.
set -eu
public_key=$1
# The Docker Engine that the project is tested with. It is Debian 13's, held at this version.
engine_version='26.1.5+dfsg1-*'

# Vagrant has put both files into /tmp. Of all files for sshd, the first one that has a setting counts.
install -m 0644 /tmp/sshd.conf /etc/ssh/sshd_config.d/00-swarm-transfer.conf
systemctl reload ssh
if ! cmp --silent /tmp/daemon.json /etc/docker/daemon.json; then
  install -D -m 0644 /tmp/daemon.json /etc/docker/daemon.json
  systemctl try-restart docker
fi

export DEBIAN_FRONTEND=noninteractive
if ! dpkg-query --show --showformat='${Version}\n' docker.io 2>/dev/null | grep -q '^26\.1\.5'; then
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends "docker.io=$engine_version" docker-cli curl ca-certificates iptables
  apt-mark hold docker.io >/dev/null
fi
systemctl enable --now docker
usermod --append --groups docker vagrant

# Some virtual network cards drop VXLAN packets if they compute the checksums of the inner packets.
cat >/etc/systemd/system/vxlan-checksums.service <<'EOF'
[Unit]
Description=Compute VXLAN checksums in the kernel, not in the network card
After=network-online.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for card in /sys/class/net/e*; do ethtool -K "${card##*/}" tx-udp_tnl-csum-segmentation off tx-checksum-ip-generic off || true; done'
[Install]
WantedBy=multi-user.target
EOF
command -v ethtool >/dev/null || apt-get install -qq -y --no-install-recommends ethtool
systemctl enable --now vxlan-checksums.service

install -d -m 0700 -o vagrant -g vagrant /home/vagrant/.ssh
install -m 0600 -o vagrant -g vagrant /dev/stdin /home/vagrant/.ssh/authorized_keys <<<"$public_key"
