# shellcheck shell=sh
# Puts the files on standard input into VOLUME with the script UNPACK, and makes a running Prometheus reload them.
set -eu
docker run --rm --interactive --user "$OWNER:$OWNER" --cap-drop ALL --network none --read-only \
  --volume "$VOLUME:$FOLDER:nocopy" --entrypoint sh "$IMAGE" -c "$UNPACK" >&2
last_reload() {
  docker exec "$1" wget -q -O - http://127.0.0.1:9090/metrics \
    | grep -E '^prometheus_config_last_reload_(successful|success_timestamp_seconds) '
}
for task in $(docker ps --quiet --filter "label=com.docker.swarm.service.name=$SERVICE"); do
  # One that still starts has not read its files yet.
  docker exec "$task" promtool check ready --url=http://127.0.0.1:9090 >/dev/null 2>&1 || continue
  before=$(last_reload "$task")
  docker kill --signal HUP "$task" >/dev/null
  attempts=60
  while [ "$(last_reload "$task" || true)" = "$before" ]; do
    attempts=$((attempts - 1))
    [ "$attempts" -gt 0 ] || break
    sleep 0.5
  done
  if [ "$(last_reload "$task" || true)" = "$before" ] || ! last_reload "$task" | grep -q 'successful 1$'; then
    echo 'Prometheus did not take its new configuration; its last words:' >&2
    docker logs --tail 5 "$task" >&2
    exit 1
  fi
done
