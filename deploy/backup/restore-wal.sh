#!/usr/bin/env bash
# restore_command of restore-point-in-time.sh. A file that is not there is no fault: it is how the server learns of the end. Anything
# else must not look like the end, or the server would go on without what came later: above 125 it gives up instead.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

archived="$backups/wal/${1:?the name of the file}"
if [[ -e "$archived" ]]; then
  cp "$archived" "${2:?where to}" || exit 255
elif [[ -n "${SLUICE_BACKUP_REMOTE:-}" ]]; then
  command -v rclone >/dev/null || exit 255
  size="$(size_elsewhere "$1")" || exit 255
  [[ -n "$size" ]] || exit 1
  rclone copyto "$SLUICE_BACKUP_REMOTE/wal/$1" "${2:?where to}" || exit 255
else
  exit 1
fi
