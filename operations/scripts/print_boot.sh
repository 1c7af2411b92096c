# shellcheck shell=sh
# Prints values that change when the host restarts: the kernel's boot id and, since a container keeps its kernel, the
# start time of process 1.
set -eu
cat /proc/sys/kernel/random/boot_id
cut -d ' ' -f 22 /proc/1/stat
