#!/usr/bin/env bash
# bring-back.sh KIND [NAME]: a backup that is elsewhere, the last unless it is named, to where the restores look for it. Its sums come last:
# what broke off is not taken for whole, and is gone on with when it is asked for again.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need rclone

kind="${1:?the kind, such as base}"
remote="${SLUICE_BACKUP_REMOTE:?names the place elsewhere}"
name="${2:-$(whole_elsewhere "$kind" | tail -n 1)}"
[[ -n "$name" ]] || fail "there is no backup of the kind $kind in $remote"
target="$backups/$kind/$name"
mkdir -p "$target"
# Of an earlier copy in another order.
rm -f "$target/SHA256SUMS"
copy_whole "$remote/$kind/$name" "$target"
check_sums "$target"
printf '%s\n' "$target"
