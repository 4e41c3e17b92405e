# shellcheck shell=bash
# What the scripts of this folder share; sourced by each of them. docs/backup.md is the guide.
set -euo pipefail
# In $(…) as well: half a list is none.
shopt -s inherit_errexit
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

# alone KIND: nobody else makes or fetches a backup of that kind until the script ends: it would delete what is half done, and take its name.
alone() {
  need flock
  mkdir -p "$backups/$1"
  exec {lock}>"$backups/$1/.lock"
  flock --nonblock "$lock" || fail "another backup of the kind $1 is under way"
}

# begin KIND: sets `target`, a directory beside its last name, so that what is half done is never taken for a backup.
begin() {
  kind="$1"
  alone "$kind"
  # A kind that fails from its first night on has no time that grows old.
  trap '[[ -e "$(metric_file "$kind")" ]] || tell_time "$kind" 0' EXIT
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
  if [[ -n "${SLUICE_BACKUP_REMOTE:-}" ]]; then copy_whole "$final" "$SLUICE_BACKUP_REMOTE/$kind/$stamp"; fi
  tell_time "$kind" "$(date +%s)"
  printf '%s\n' "$final"
}

# copy_whole FROM TO, there and back: the sums last. By them whoever reads there knows that it is whole; a bucket has no other name to give
# at once, and where nobody can delete nothing can be renamed.
copy_whole() {
  need rclone
  rclone copy --exclude /SHA256SUMS "$1" "$2"
  rclone check --exclude /SHA256SUMS "$1" "$2"
  rclone copyto "$1/SHA256SUMS" "$2/SHA256SUMS"
}

metric_file() {
  printf '%s\n' "${SLUICE_BACKUP_METRICS_DIRECTORY:-$backups/metrics}/sluice_backup_$1.prom"
}

# tell_time KIND SECONDS, for the textfile collector of node_exporter. A time that is not renewed is how a failure shows.
tell_time() {
  local file
  file="$(metric_file "$1")"
  mkdir -p "$(dirname "$file")"
  {
    echo '# HELP sluice_backup_last_success_timestamp_seconds When the last backup of the kind succeeded.'
    echo '# TYPE sluice_backup_last_success_timestamp_seconds gauge'
    printf 'sluice_backup_last_success_timestamp_seconds{kind="%s"} %s\n' "$1" "$2"
  } >"$file.new"
  # The exporter is somebody else.
  chmod 644 "$file.new"
  mv "$file.new" "$file"
}

# whole KIND: the directories of its backups, the oldest first; not what was brought back in part.
whole() {
  if [[ -d "$backups/$1" ]]; then find "$backups/$1" -mindepth 2 -maxdepth 2 -path '*Z/SHA256SUMS' -printf '%h\n' | sort; fi
}

# newest KIND: the directory of the last backup of that kind.
newest() {
  local found
  found="$(whole "$1" | tail -n 1)" || true
  [[ -n "$found" ]] || fail "there is no backup of the kind $1 in $backups"
  printf '%s\n' "$found"
}

# The names of what is elsewhere in a folder, by further options of rclone's; nothing where there is no such folder.
listed() {
  rclone lsf "${@:2}" "$SLUICE_BACKUP_REMOTE/$1" || [[ $? == 3 ]]
}

# Of names on the input, one a line, those of backups, the oldest first.
stamps() {
  sed -n '/^[0-9]\{8\}T[0-9]\{6\}Z$/p' | sort
}

# whole_elsewhere KIND: the names of its backups there; a copy that broke off has no sums.
whole_elsewhere() {
  listed "$1" --recursive --files-only --max-depth 2 --include '/*/SHA256SUMS' | sed 's|/SHA256SUMS$||' | stamps
}

# size_elsewhere NAME: the size of a file of WAL elsewhere, and nothing where it is not there. It is asked for alone, as there may be many.
size_elsewhere() {
  rclone lsf --format s --no-traverse --files-from-raw - "$SLUICE_BACKUP_REMOTE/wal" <<<"$1"
}

# The files of WAL that base backups begin with, as their labels on the input have them.
first_wal() {
  sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\))$/\1/p'
}

# check_sums DIRECTORY: every file is there and as it was written, and none is there beside them.
check_sums() {
  [[ ! -s "$1/SHA256SUMS" ]] || (cd "$1" && sha256sum --check --quiet SHA256SUMS) || fail "$1 is not as it was written"
  local listed found
  listed="$(wc -l <"$1/SHA256SUMS")"
  found="$(find "$1" -type f ! -name SHA256SUMS | wc -l)"
  [[ "$listed" == "$found" ]] || fail "$1 has $found files and $listed sums"
}
