#!/usr/bin/env bash
# A primary, two replicas and three sentinels on this machine, for trying and for tests, of broker.conf, replication.conf and
# sentinel.conf.
#   sentinel-create.sh start <directory>    starts them; again: starts those that are down, as what they were
#   sentinel-create.sh stop <directory>     stops them; their data stays
# In the directory: <port>/pid, <port>/redis.log and the server's data. From the environment: SLUICE_REDIS_PORT (of the first
# server, 6379; the others follow, the sentinels behind them), SLUICE_REDIS_PASSWORD (none), SLUICE_REDIS_SERVER,
# SLUICE_SENTINEL_DOWN_AFTER_MS (5000).
set -euo pipefail

action="${1:-}"
directory="${2:-}"
if [[ "$action" != start && "$action" != stop ]] || [[ -z "$directory" ]]; then
  sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 64
fi
# shellcheck source=deploy/redis/servers.sh
source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

first="${SLUICE_REDIS_PORT:-6379}"
servers=("$first" $((first + 1)) $((first + 2)))
sentinels=($((first + 3)) $((first + 4)) $((first + 5)))

if [[ "$action" == stop ]]; then
  stop_servers "${sentinels[@]}" "${servers[@]}"
  exit 0
fi

# A server that comes back is what it was, or what a sentinel makes of it: its own file says so.
for port in "${servers[@]}"; do
  own="$directory/$port/redis.conf"
  if [[ ! -f "$own" ]]; then
    mkdir -p "$directory/$port"
    cat "$here/broker.conf" "$here/replication.conf" | grep -v -e '^masteruser ' -e '^masterauth ' | without_files >"$own"
    if [[ "$port" != "$first" ]]; then echo "replicaof 127.0.0.1 $first" >>"$own"; fi
  fi
  start_server "$port" "$own"
done
# After a failover any of them may be the primary, and its server of before comes back as one too.
for port in "${servers[@]}"; do
  wait_for "primary or replica at port $port" "$port" 'role:master|master_link_status:up' info replication
done

for port in "${sentinels[@]}"; do
  own="$directory/$port/redis.conf"
  if [[ ! -f "$own" ]]; then
    mkdir -p "$directory/$port"
    without_files <"$here/sentinel.conf" | sed \
      -e "s|^port .*|port $port|" \
      -e "s|^sentinel monitor sluice-broker .*|sentinel monitor sluice-broker 127.0.0.1 $first 2|" \
      -e "s|^sentinel down-after-milliseconds .*|sentinel down-after-milliseconds sluice-broker ${SLUICE_SENTINEL_DOWN_AFTER_MS:-5000}|" \
      -e "s|/etc/sluice/redis/sentinel-notify.sh|$here/sentinel-notify.sh|" >"$own"
    if [[ -n "$password" ]]; then echo "sentinel auth-pass sluice-broker $password" >>"$own"; fi
  fi
  start_server "$port" "$own" --sentinel
done
for port in "${sentinels[@]}"; do
  SLUICE_REDIS_NO_PASSWORD=1 wait_for "sentinel at port $port" "$port" 'sentinels=3' info sentinel
done
# What came back as a primary beside another is made a replica by the sentinels, which takes them some seconds.
primary="$(SLUICE_REDIS_NO_PASSWORD=1 ask "${sentinels[0]}" sentinel get-master-addr-by-name sluice-broker | tail -n 1)"
for port in "${servers[@]}"; do
  if [[ "$port" == "$primary" ]]; then continue; fi
  wait_for "replica at port $port" "$port" master_link_status:up info replication
done
echo "127.0.0.1:${sentinels[0]} 127.0.0.1:${sentinels[1]} 127.0.0.1:${sentinels[2]}"
