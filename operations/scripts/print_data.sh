# shellcheck shell=sh
# Prints what this host's containers know of the data: a line "index|" and Patroni's members as JSON, and a line
# "few copies|" with the number of SeaweedFS's volumes that lack a copy. Only the leader of its masters knows of any.
set -eu
containers() { docker ps --quiet --filter "name=^$1-"; }
for container in $(containers "$INDEX"); do
  members=$(docker exec "$container" wget -q -T 10 --ca-certificate="$INDEX_AUTHORITY" -O - \
    "https://localhost:$INDEX_PORT/cluster") || continue
  echo "index|$members"
done
for container in $(containers "$MASTER"); do
  metrics=$(docker exec "$container" wget -q -T 10 -O - "http://127.0.0.1:$METRICS_PORT/metrics") || continue
  echo "few copies|$(echo "$metrics" | grep -c '^SeaweedFS_master_replica_placement_mismatch{.*} 1' || true)"
done
