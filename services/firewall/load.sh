#!/bin/sh
# Puts RULES in the place of those that the kernel has, all at once. If they are wrong, the kernel keeps what it has.
#
# The hosts in the earlier rules that are not in the new ones stay in the chain `leaving`, except those in GONE: a host
# that is removed from the settings leaves the swarm only later, once its tasks have ended.
#
# Environment: RULES, SSH_PORT, GONE. The status is 3 if the kernel has no nf_tables.
set -eu

addresses() { grep -oE '([0-9]+\.){3}[0-9]+' || true; }

if ! problem=$(nft list tables 2>&1 >/dev/null); then
  case $problem in
    *permitted*) echo "$problem" >&2; exit 1 ;;
    *) exit 3 ;;
  esac
fi
known=$(printf '%s\n' "$RULES" "$GONE" | addresses)
present=$(nft list table inet swarm_transfer 2>/dev/null | addresses)
{
  printf '%s\n' "$RULES"
  echo "$present" | sort -u | grep -vxF -e "$known" | while read -r address; do
    [ -z "$address" ] || echo "add rule inet swarm_transfer leaving ip saddr $address jump from_hosts"
  done
} | nft --define "ssh_port=$SSH_PORT" --file -
