#!/usr/bin/env bash
# restore-redis.sh NAME DIRECTORY [BACKUP]: puts the files of the Redis called NAME where a server that is stopped will read them
# at its start: the append-only files where there are some, which have more, otherwise the RDB.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

name="${1:?names the Redis, such as broker}"
directory="${2:?names the data directory of the server}"
backup="${3:-$(newest redis)}"
check_sums "$backup"
mkdir -p "$directory"
if [[ -n "$(ls -A "$directory")" ]]; then fail "$directory is not empty"; fi
if [[ -d "$backup/$name-aof" ]]; then
  cp -a "$backup/$name-aof" "$directory/appendonlydir"
elif [[ -f "$backup/$name.rdb" ]]; then
  cp "$backup/$name.rdb" "$directory/dump.rdb"
  echo "Start it once with --appendonly no, then 'config set appendonly yes': with appendonly yes it would not read the RDB." >&2
else
  fail "$backup has nothing of $name"
fi
