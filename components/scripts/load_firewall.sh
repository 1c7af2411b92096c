# shellcheck shell=sh
# Loads RULES, and replaces the container NAME, which loads them whenever the Engine starts. GONE are addresses of hosts
# that are gone, and HOST is the name of this one. On standard input is the login of IMAGE's registry, if it has one.
# It follows firewall_container.sh.
fail() { echo "$HOST: $1" >&2; exit 1; }

# The port of this ssh connection stays open, whatever else is closed: on it, the rules can be changed again.
ssh_port=$(printenv SSH_CONNECTION | cut -d ' ' -f 4)
[ -n "$ssh_port" ] || fail 'its ssh server does not say at which port it was reached: use the server of OpenSSH'

# An image that was built here cannot be pulled. The command line would take a login only from a file.
login=$(cat)
if ! docker image inspect "$IMAGE" >/dev/null 2>&1; then
  answer=$(printf 'X-Registry-Auth: %s\n' "$login" | curl --silent --show-error --max-time 300 --header @- \
    --unix-socket /var/run/docker.sock --request POST \
    "http://docker/images/create?fromImage=${IMAGE%@*}&tag=${IMAGE#*@}" 2>&1) || true
  docker image inspect "$IMAGE" >/dev/null 2>&1 || fail "cannot pull $IMAGE: $(echo "$answer" | tail -n 1)"
fi

# This first load shows whether the kernel takes the rules. If it does not, the earlier rules and container stay.
set -- --env "RULES=$RULES" --env "GONE=$GONE" --env "SSH_PORT=$ssh_port"
status=0
run_image "$@" --rm "$IMAGE" sh /opt/firewall/load.sh >&2 || status=$?
case $status in
  0) ;;
  3) fail "its kernel has no nf_tables: run \`modprobe nf_tables\` there, or remove \`firewall\` from the settings" ;;
  12[567]) fail "its Docker Engine did not run $IMAGE" ;;
  *) fail 'its kernel did not take the rules of the firewall; those that it had before are still loaded' ;;
esac
# This kills the earlier container, which so has no time to remove the rules.
docker rm --force "$NAME" >/dev/null 2>&1 || true
run_image "$@" --detach --restart always --name "$NAME" "$IMAGE" >/dev/null
