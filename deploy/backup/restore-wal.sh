#!/usr/bin/env bash
# restore_command of restore-point-in-time.sh. A file that is not there is no fault: it is how the server learns of the end.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

archived="$backups/wal/${1:?the name of the file}"
if [[ ! -e "$archived" ]]; then
  [[ -n "${SLUICE_BACKUP_REMOTE:-}" ]] || exit 1
  need rclone
  exec rclone copyto "$SLUICE_BACKUP_REMOTE/wal/$1" "${2:?where to}"
fi
cp "$archived" "${2:?where to}"
