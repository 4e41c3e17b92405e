#!/usr/bin/env bash
# The result store: a directory (SLUICE_STORE_DIRECTORY) or a bucket that rclone knows (SLUICE_BACKUP_STORE_REMOTE). Results never
# change, so each backup shares the files of the one before by hard links and costs what is new.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mkdir -p "$backups/results"
previous="$(find "$backups/results" -mindepth 1 -maxdepth 1 -type d -name '*Z' | sort | tail -n 1)"
begin results
if [[ -n "${SLUICE_STORE_DIRECTORY:-}" ]]; then
  need rsync
  rsync --archive --ignore-missing-args ${previous:+--link-dest="$previous/objects"} "$SLUICE_STORE_DIRECTORY/" "$target/objects/"
else
  need rclone
  if [[ -n "$previous" ]]; then cp -al "$previous/objects" "$target/objects"; fi
  # What is shared with the backup before is never written to, only taken out of this one.
  rclone sync --immutable \
    "${SLUICE_BACKUP_STORE_REMOTE:?names the bucket, where SLUICE_STORE_DIRECTORY names no directory}" "$target/objects"
fi
finish
