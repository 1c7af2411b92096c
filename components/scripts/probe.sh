# shellcheck shell=sh
# Prints Docker's swarm state as JSON, then one line for each thing found: its kind and its fields, separated by "|".
set -eu
command -v docker >/dev/null || { echo 'docker is not installed' >&2; exit 1; }
command -v curl >/dev/null || { echo 'curl is not installed' >&2; exit 1; }
[ -S "$CONTAINERD_SOCKET" ] || { echo "there is no $CONTAINERD_SOCKET" >&2; exit 1; }
# If the Engine keeps images in containerd's store, cAdvisor asks containerd what a container is. It then knows one
# snapshotter only. Engine 27 and later say where their containerd listens.
store=$(docker info --format '{{.Driver}} {{json .DriverStatus}}')
case $store in *io.containerd.snapshotter*)
  version=$(docker version --format '{{.Server.Version}}')
  [ "${version%%.*}" -ge 28 ] || { echo "version $version builds nothing in containerd's store" >&2; exit 1; }
  [ "${store%% *}" = overlayfs ] || { echo "it uses containerd's snapshotter ${store%% *}" >&2; exit 1; }
  address=$(docker info --format '{{.Containerd.Address}}' 2>/dev/null) || address=$CONTAINERD_SOCKET
  [ "$address" = "$CONTAINERD_SOCKET" ] || { echo "it uses $address instead of $CONTAINERD_SOCKET" >&2; exit 1; }
esac
docker info --format '{{json .Swarm}}'
docker version --format 'platform|{{.Server.Os}}/{{.Server.Arch}}'
if [ "$(docker info --format '{{.Swarm.ControlAvailable}}')" = true ]; then
  docker node inspect self --format "stack|{{index .Spec.Labels \"$CLUSTER_LABEL\"}}"
  docker node inspect self --format "storage|{{index .Spec.Labels \"$STORAGE_LABEL\"}}"
  nodes=$(docker node ls --quiet)
  # shellcheck disable=SC2086 # the nodes are several words
  docker node inspect $nodes --format \
    "node|{{.ID}}|{{index .Spec.Labels \"$HOST_LABEL\"}}|{{index .Spec.Labels \"$HOLDS_LABEL\"}}"
fi
docker volume ls --format 'volume|{{.Name}}'
docker ps --format 'container|{{.Names}}|{{.Label "com.docker.swarm.service.name"}}|{{.Ports}}'
# How many logins may be unfinished before the ssh server refuses some. The first file that has the setting counts.
startups=$(cat /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config 2>/dev/null |
  sed -n 's/^[[:space:]]*MaxStartups[[:space:]]\{1,\}\([0-9]\{1,\}\).*/\1/Ip' | head -n 1)
echo "startups|${startups:-10}"
# Such as "interface|eth0|192.168.50.2/24|1500": an interface, its address, and its MTU.
ip -4 -o address show 2>/dev/null | while read -r _ interface _ address _; do
  interface=${interface%@*}
  mtu=$(cat "/sys/class/net/$interface/mtu" 2>/dev/null) || continue
  echo "interface|$interface|$address|$mtu"
done
# The kernel's configuration, where it can be read, says whether it has IPsec.
config="/boot/config-$(uname -r)"
if [ -r /proc/config.gz ]; then kernel=$(zcat /proc/config.gz); elif [ -r "$config" ]; then kernel=$(cat "$config"); fi
if [ -n "${kernel:-}" ] && ! echo "$kernel" | grep -q '^CONFIG_INET_ESP=[my]$'; then echo 'ipsec|no'; fi
# State 0A is "listening". There is no tcp6 where IPv6 is off.
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ address _ state _; do
  if [ "$state" = 0A ]; then echo "listening|${address##*:}"; fi
done
