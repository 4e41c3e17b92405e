# shellcheck shell=bash
# What the scripts of this folder share; sourced by each of them. docs/backup.md is the guide.
set -euo pipefail
# What is written here is readable by its owner alone.
umask 077

backups="${SLUICE_BACKUP_DIRECTORY:?names the directory that backups are written to}"
# Of PostgreSQL's programs those of the newest version that is installed, unless PATH has them.
for programs in /usr/lib/postgresql/*/bin; do
  [[ -d "$programs" ]] && PATH="$PATH:$programs"
done

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || fail "$program is missing"
  done
}

# begin KIND: sets `target`, a directory beside its last name, so that what is half done is never taken for a backup.
begin() {
  kind="$1"
  stamp="$(date -u +%Y%m%dT%H%M%SZ)"
  # Two of one second would be one.
  while [[ -e "$backups/$kind/$stamp" ]]; do
    sleep 1
    stamp="$(date -u +%Y%m%dT%H%M%SZ)"
  done
  target="$backups/$kind/$stamp.partial"
  rm -rf "$backups/$kind"/*.partial
  mkdir -p "$target"
}

# Sums of every file, the last name, the copy elsewhere, and the time by which the alert on the age of backups goes.
finish() {
  local sums
  sums="$(cd "$target" && find . -type f -print0 | sort -z | xargs -0 -r sha256sum)"
  printf '%s' "${sums:+$sums$'\n'}" >"$target/SHA256SUMS"
  local final="${target%.partial}"
  mv "$target" "$final"
  sync -f "$final"
  if [[ -n "${SLUICE_BACKUP_REMOTE:-}" ]]; then
    need rclone
    rclone copy "$final" "$SLUICE_BACKUP_REMOTE/$kind/$stamp"
    rclone check "$final" "$SLUICE_BACKUP_REMOTE/$kind/$stamp"
  fi
  tell_success "$kind"
  printf '%s\n' "$final"
}

# For the textfile collector of node_exporter. A time that is not renewed is how a failure shows.
tell_success() {
  local directory="${SLUICE_BACKUP_METRICS_DIRECTORY:-$backups/metrics}"
  mkdir -p "$directory"
  local file="$directory/sluice_backup_$1.prom"
  {
    echo '# HELP sluice_backup_last_success_timestamp_seconds When the last backup of the kind succeeded.'
    echo '# TYPE sluice_backup_last_success_timestamp_seconds gauge'
    printf 'sluice_backup_last_success_timestamp_seconds{kind="%s"} %s\n' "$1" "$(date +%s)"
  } >"$file.new"
  # The exporter is somebody else.
  chmod 644 "$file.new"
  mv "$file.new" "$file"
}

# newest KIND [TIME]: the directory of the last backup of that kind, or of the last that was begun by then, as in 20300131T140500Z.
newest() {
  local found
  found="$(find "$backups/$1" -mindepth 1 -maxdepth 1 -type d -name '*Z' 2>/dev/null | sort |
    awk -F / -v time="${2:-}" 'time == "" || $NF <= time' | tail -n 1)" || true
  [[ -n "$found" ]] || fail "there is no backup of the kind $1${2:+ from before $2} in $backups"
  printf '%s\n' "$found"
}

# check_sums DIRECTORY: every file is there and as it was written, and none is there beside them.
check_sums() {
  [[ ! -s "$1/SHA256SUMS" ]] || (cd "$1" && sha256sum --check --quiet SHA256SUMS) || fail "$1 is not as it was written"
  local listed found
  listed="$(wc -l <"$1/SHA256SUMS")"
  found="$(find "$1" -type f ! -name SHA256SUMS | wc -l)"
  [[ "$listed" == "$found" ]] || fail "$1 has $found files and $listed sums"
}
