#!/bin/bash
# Makes a fresh Debian 13 box a host of the cluster; run as root by Vagrant, as often as you like.
# $1: the public key that may log in as vagrant, in place of the one that everybody knows.
set -eu
public_key=$1
# The Engine that the rest of the project is tested with: the one of Debian 13, held there.
engine_version='26.1.5+dfsg1-*'

export DEBIAN_FRONTEND=noninteractive
if ! dpkg-query --show --showformat='${Version}\n' docker.io 2>/dev/null | grep -q '^26\.1\.5'; then
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends "docker.io=$engine_version" docker-cli curl ca-certificates iptables
  apt-mark hold docker.io >/dev/null
fi
systemctl enable --now docker
usermod --append --groups docker vagrant

# VXLAN loses packets when these network cards compute the checksums of its inner packets.
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
