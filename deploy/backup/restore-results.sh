#!/usr/bin/env bash
# restore-results.sh [BACKUP]: back to SLUICE_STORE_DIRECTORY or SLUICE_BACKUP_STORE_REMOTE. What is there stays: results never change.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

backup="${1:-$(newest results)}"
check_sums "$backup"
if [[ -n "${SLUICE_STORE_DIRECTORY:-}" ]]; then
  need rsync
  # What it lies in is made for all to pass through: the services are somebody else.
  (umask 022 && mkdir -p "$(dirname "$SLUICE_STORE_DIRECTORY")")
  mkdir -p "$SLUICE_STORE_DIRECTORY"
  rsync --archive --ignore-existing "$backup/objects/" "$SLUICE_STORE_DIRECTORY/"
else
  need rclone
  rclone copy --ignore-existing "$backup/objects" "${SLUICE_BACKUP_STORE_REMOTE:?names the bucket}"
fi
