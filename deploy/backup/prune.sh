#!/usr/bin/env bash
# Deletes backups older than SLUICE_BACKUP_KEEP_DAYS (14), never the last of a kind, and the WAL that no base backup needs any more.
# The same elsewhere by SLUICE_BACKUP_REMOTE_KEEP_DAYS, which is as long unless it says otherwise; 0 is for a place that keeps to
# rules of its own, such as a bucket whose objects nobody can delete early.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kinds=(postgres base redis results)
days="${SLUICE_BACKUP_KEEP_DAYS:-14}"
remote="${SLUICE_BACKUP_REMOTE:-}"
remote_days="${SLUICE_BACKUP_REMOTE_KEEP_DAYS:-$days}"

# older DAYS: of names on the input those that are older.
older() {
  awk -v oldest="$(date -u -d "$1 days ago" +%Y%m%dT%H%M%SZ)" '$0 < oldest'
}

for kind in "${kinds[@]}"; do
  [[ -d "$backups/$kind" ]] || continue
  for name in $(find "$backups/$kind" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | stamps | head -n -1 | older "$days"); do
    rm -rf "${backups:?}/$kind/$name"
    echo "deleted $backups/$kind/$name"
  done
done
first="$(whole base | sed -n 1p)"
if [[ -n "$first" && -d "$backups/wal" ]]; then
  need pg_archivecleanup
  pg_archivecleanup "$backups/wal" "$(first_wal <"$first/data/backup_label")"
fi

if [[ -z "$remote" || "$remote_days" == 0 ]]; then exit 0; fi
need rclone
for kind in "${kinds[@]}"; do
  last="$(whole_elsewhere "$kind" | tail -n 1)"
  # What broke off goes as well, and is never the last.
  for name in $(listed "$kind" --dirs-only | tr -d / | stamps | older "$remote_days"); do
    [[ -n "$last" && "$name" != "$last" ]] || continue
    rclone purge "$remote/$kind/$name"
    echo "deleted $remote/$kind/$name"
  done
done
first="$(whole_elsewhere base | sed -n 1p)"
[[ -n "$first" ]] || exit 0
start="$(rclone cat "$remote/base/$first/data/backup_label" | first_wal)"
[[ -n "$start" ]] || fail "$remote/base/$first does not say where it begins"
# As pg_archivecleanup compares them: without the timeline, which the first eight digits are.
old="$(listed wal | sed -n '/^[0-9A-F]\{24\}$/p' | awk -v start="${start:8}" 'substr($0, 9) < start')"
# An empty list would be no list.
if [[ -n "$old" ]]; then rclone delete --files-from-raw - "$remote/wal" <<<"$old"; fi
