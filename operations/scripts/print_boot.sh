# shellcheck shell=sh
# Prints what differs after every start of the host. A container's kernel stays, so the age of its first process counts.
set -eu
cat /proc/sys/kernel/random/boot_id
cut -d ' ' -f 22 /proc/1/stat
