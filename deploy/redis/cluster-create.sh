#!/usr/bin/env bash
# A Redis Cluster on this machine, for trying and for tests: three masters with a replica each, of broker.conf.
#   cluster-create.sh start <directory>    starts the nodes and makes a cluster of them; again: starts those that are down
#   cluster-create.sh stop <directory>     stops the nodes; their data stays
# In the directory: <port>/pid, <port>/redis.log and the node's data. From the environment: SLUICE_REDIS_PORT (of the first node,
# 7000; the others follow), SLUICE_REDIS_REPLICAS (of each master, 1), SLUICE_REDIS_PASSWORD (none), SLUICE_REDIS_SERVER.
set -euo pipefail

action="${1:-}"
directory="${2:-}"
if [[ "$action" != start && "$action" != stop ]] || [[ -z "$directory" ]]; then
  sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 64
fi
# shellcheck source=deploy/redis/servers.sh
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

first="${SLUICE_REDIS_PORT:-7000}"
replicas="${SLUICE_REDIS_REPLICAS:-1}"
last=$((first + 3 * (1 + replicas) - 1))

if [[ "$action" == stop ]]; then
  mapfile -t ports < <(seq "$first" "$last")
  stop_servers "${ports[@]}"
  exit 0
fi

addresses=()
for port in $(seq "$first" "$last"); do
  start_server "$port" broker.conf --cluster-enabled yes --cluster-node-timeout 5000 --cluster-config-file nodes.conf \
    --cluster-require-full-coverage no --cluster-allow-reads-when-down no
  addresses+=("127.0.0.1:$port")
done

if [[ "$(ask "$first" cluster info)" == *cluster_known_nodes:1[^0-9]* ]]; then
  ask "$first" --cluster create "${addresses[@]}" --cluster-replicas "$replicas" --cluster-yes >"$directory/create.log" 2>&1 ||
    { cat "$directory/create.log" >&2; exit 1; }
fi
for port in $(seq "$first" "$last"); do
  wait_for "cluster at port $port" "$port" cluster_state:ok cluster info
done
echo "${addresses[*]}"
