#!/usr/bin/env bash
# bring-back.sh KIND [NAME]: a backup that is elsewhere, the last unless it is named, to where the restores look for it. It is fetched
# beside its name, so that what broke off is not taken for whole, and is gone on with when it is asked for again. Nothing that is here
# already is touched.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need rclone

kind="${1:?the kind, such as base}"
remote="${SLUICE_BACKUP_REMOTE:?names the place elsewhere}"
there="$(whole_elsewhere "$kind")"
name="${2:-$(tail -n 1 <<<"$there")}"
[[ -n "$name" ]] || fail "there is no backup of the kind $kind in $remote"
target="$backups/$kind/$name"
if [[ -e "$target" ]]; then
  (check_sums "$target") || fail "$target is here already, and not whole: move it aside"
  echo "$target is here already, and whole" >&2
else
  grep --quiet --fixed-strings --line-regexp -e "$name" <<<"$there" || fail "there is no whole backup $name of the kind $kind in $remote"
  alone "$kind"
  mkdir -p "$target.partial"
  copy_whole "$remote/$kind/$name" "$target.partial"
  check_sums "$target.partial"
  mv --no-target-directory "$target.partial" "$target"
  sync -f "$target"
fi
printf '%s\n' "$target"
