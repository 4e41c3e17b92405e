# What cluster-create.sh and sentinel-create.sh have in common; sourced by them, with $directory set.
# shellcheck shell=bash

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
program="${SLUICE_REDIS_SERVER:-$(command -v redis-server || command -v valkey-server || true)}"
client="$(command -v redis-cli || command -v valkey-cli || true)"
password="${SLUICE_REDIS_PASSWORD:-}"
if [[ -z "$program" || -z "$client" ]]; then
  echo 'Neither redis-server nor valkey-server with its client was found.' >&2
  exit 69
fi
mkdir -p "$directory"
directory="$(cd "$directory" && pwd)"

# The files of an installation are not those of a try.
without_files() {
  grep -v -e '^aclfile ' -e '^dir '
}

# ask <port> <command…>
ask() {
  local port="$1"
  shift
  if [[ -n "$password" && -z "${SLUICE_REDIS_NO_PASSWORD:-}" ]]; then
    REDISCLI_AUTH="$password" "$client" --no-auth-warning -p "$port" "$@"
  else
    "$client" -p "$port" "$@"
  fi
}

# wait_for <what> <port> <regular expression that the answer matches> <command…>
wait_for() {
  local what="$1" port="$2" expected="$3"
  shift 3
  # Sentinels turn a primary that comes back into a replica once they have seen it up for 8 s without a break.
  for _ in $(seq 600); do
    if [[ "$(ask "$port" "$@" 2>/dev/null)" =~ $expected ]]; then return 0; fi
    sleep 0.1
  done
  echo "$what did not come within 60 s: see $directory/$port/redis.log" >&2
  exit 1
}

is_running() {
  local file="$directory/$1/pid"
  [[ -f "$file" ]] && kill -0 "$(cat "$file")" 2>/dev/null
}

# start_server <port> <file of settings> <further arguments…>
start_server() {
  local port="$1" settings="$2"
  shift 2
  if is_running "$port"; then return 0; fi
  mkdir -p "$directory/$port"
  if [[ "$settings" != /* ]]; then
    without_files <"$here/$settings" >"$directory/$port/redis.conf"
    settings="$directory/$port/redis.conf"
  fi
  # The password is in the file, as arguments can be seen by all users of the machine.
  chmod 600 "$settings"
  if [[ -n "$password" && " $* " != *' --sentinel '* ]] && ! grep -q '^requirepass' "$settings"; then
    printf 'requirepass %s\nmasterauth %s\n' "$password" "$password" >>"$settings"
  fi
  "$program" "$settings" "$@" --port "$port" --dir "$directory/$port" --logfile "$directory/$port/redis.log" --daemonize yes \
    --pidfile "$directory/$port/pid" >/dev/null
  wait_for "server at port $port" "$port" PONG ping
}

# stop_servers <port…>: all at once, as a primary waits for its replicas
stop_servers() {
  local port pid
  local pids=()
  for port in "$@"; do
    if is_running "$port"; then pids+=("$(cat "$directory/$port/pid")"); fi
  done
  if [[ ${#pids[@]} -eq 0 ]]; then return 0; fi
  kill "${pids[@]}"
  for pid in "${pids[@]}"; do
    for _ in $(seq 100); do
      if ! kill -0 "$pid" 2>/dev/null; then continue 2; fi
      sleep 0.1
    done
    kill -KILL "$pid"
  done
}
