#!/usr/bin/env bash
# The backups of a night, in the order in which they fit each other: what names results goes before the results. Each is tried though
# another fails, and the exit code tells; the alert on the age of backups goes by what succeeded.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
failed=()
for kind in ${SLUICE_BACKUP_KINDS:-dump-postgres base-backup backup-redis backup-results backup-keys}; do
  "$scripts/$kind.sh" || failed+=("$kind")
done
if ((${#failed[@]} > 0)); then fail "failed: ${failed[*]}; nothing old was deleted"; fi
"$scripts/prune.sh"
