#!/usr/bin/env bash
# Deletes backups older than SLUICE_BACKUP_KEEP_DAYS (14), never the last of a kind, and the WAL that no base backup needs any more.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

days="${SLUICE_BACKUP_KEEP_DAYS:-14}"
oldest="$(date -u -d "$days days ago" +%Y%m%dT%H%M%SZ)"
for kind in postgres base redis results; do
  [[ -d "$backups/$kind" ]] || continue
  last="$(newest "$kind" 2>/dev/null || true)"
  for each in "$backups/$kind"/*Z; do
    name="$(basename "$each")"
    if [[ -d "$each" && "$each" != "$last" && "$name" < "$oldest" ]]; then
      rm -rf "$each"
      echo "deleted $each"
    fi
  done
done
first="$(find "$backups/base" -mindepth 1 -maxdepth 1 -type d -name '*Z' 2>/dev/null | sort | head -n 1)" || true
if [[ -n "$first" && -d "$backups/wal" ]]; then
  need pg_archivecleanup
  start="$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\))$/\1/p' "$first/data/backup_label")"
  pg_archivecleanup "$backups/wal" "$start"
fi
