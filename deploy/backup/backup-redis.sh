#!/usr/bin/env bash
# Copies of Redis: an RDB of each Redis in SLUICE_BACKUP_REDIS_URLS (name=url, between spaces), taken as a replica takes it, and the
# append-only files of each directory in SLUICE_BACKUP_REDIS_DIRECTORIES (name=directory). The cache role needs none. The user is
# `sluice-backup` (sluice redis-users) and stands in the URL, such as redis://sluice-backup@host:6379; the password in REDISCLI_AUTH, as
# whoever is on the machine sees the arguments of programs.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

begin redis
need redis-cli redis-check-rdb redis-check-aof rsync
for each in ${SLUICE_BACKUP_REDIS_URLS:?names the servers, such as broker=redis://host:6379}; do
  url="${each#*=}" user=()
  # redis-cli would take a user alone for a password.
  if [[ "$url" =~ ^(rediss?://)([^:@/]*)@(.*)$ ]]; then
    user=(--user "${BASH_REMATCH[2]}")
    url="${BASH_REMATCH[1]}${BASH_REMATCH[3]}"
  fi
  [[ "$url" != *@* ]] || fail "the URL of ${each%%=*} has a password: give it by REDISCLI_AUTH"
  redis-cli "${user[@]}" -u "$url" --rdb "$target/${each%%=*}.rdb" >/dev/null
  redis-check-rdb "$target/${each%%=*}.rdb" >/dev/null || fail "the RDB of ${each%%=*} cannot be read"
done

manifest_of() { cat "$1"/*.manifest; }

# A rewrite replaces the files while they are copied: then the manifest has changed, and they are copied again.
for each in ${SLUICE_BACKUP_REDIS_DIRECTORIES:-}; do
  from="${each#*=}" to="$target/${each%%=*}-aof"
  for attempt in 1 2 3 4 5; do
    before="$(manifest_of "$from")"
    rsync --archive --delete "$from/" "$to/" && [[ "$(manifest_of "$from")" == "$before" ]] && break
    ((attempt < 5)) || fail "$from was rewritten again and again"
    sleep 1
  done
  # The last command may be cut off, as after a crash; nothing else.
  redis-check-aof --fix "$to"/*.manifest >/dev/null <<<y || fail "the append-only files of ${each%%=*} cannot be read"
done
finish
