#!/usr/bin/env bash
# Deletes backups older than SLUICE_BACKUP_KEEP_DAYS (14), never the last of a kind, and the WAL that no base backup needs any more.
# The same elsewhere by SLUICE_BACKUP_REMOTE_KEEP_DAYS, which is as long unless it says otherwise; 0 is for a place that keeps to
# rules of its own, such as a bucket whose objects nobody can delete early.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kinds=(postgres base redis results)
days="${SLUICE_BACKUP_KEEP_DAYS:-14}"
remote="${SLUICE_BACKUP_REMOTE:-}"
remote_days="${SLUICE_BACKUP_REMOTE_KEEP_DAYS:-$days}"

# outdated DAYS: of names on the input, one a line, those that are older and not the last.
outdated() {
  local oldest
  oldest="$(date -u -d "$1 days ago" +%Y%m%dT%H%M%SZ)"
  grep -x '[0-9]\{8\}T[0-9]\{6\}Z' | sort | head -n -1 | awk -v oldest="$oldest" '$0 < oldest'
}

# The file that a base backup begins with, as its label on the input has it.
first_wal() {
  sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\))$/\1/p'
}

# What is elsewhere; nothing where there is no such folder.
listed() {
  rclone lsf "$remote/$1" || [[ $? == 3 ]]
}

for kind in "${kinds[@]}"; do
  [[ -d "$backups/$kind" ]] || continue
  for name in $(find "$backups/$kind" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | outdated "$days"); do
    rm -rf "${backups:?}/$kind/$name"
    echo "deleted $backups/$kind/$name"
  done
done
first="$(find "$backups/base" -mindepth 1 -maxdepth 1 -type d -name '*Z' 2>/dev/null | sort | head -n 1)" || true
if [[ -n "$first" && -d "$backups/wal" ]]; then
  need pg_archivecleanup
  pg_archivecleanup "$backups/wal" "$(first_wal <"$first/data/backup_label")"
fi

if [[ -z "$remote" || "$remote_days" == 0 ]]; then exit 0; fi
need rclone
for kind in "${kinds[@]}"; do
  for name in $(listed "$kind" | tr -d / | outdated "$remote_days"); do
    rclone purge "$remote/$kind/$name"
    echo "deleted $remote/$kind/$name"
  done
done
first="$(listed base | tr -d / | sort | sed -n 1p)"
[[ -n "$first" ]] || exit 0
start="$(rclone cat "$remote/base/$first/data/backup_label" | first_wal)"
[[ -n "$start" ]] || fail "$remote/base/$first does not say where it begins"
# As pg_archivecleanup compares them: without the timeline, which the first eight digits are.
old="$(listed wal | sed -n '/^[0-9A-F]\{24\}$/p' | awk -v start="${start:8}" 'substr($0, 9) < start')"
# An empty list would be no list.
if [[ -n "$old" ]]; then rclone delete --files-from-raw - "$remote/wal" <<<"$old"; fi
