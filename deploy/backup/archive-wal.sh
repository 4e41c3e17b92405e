#!/usr/bin/env bash
# The archive_command of postgresql-archive.conf: archive-wal.sh %p %f. Success means that the file is on disk, and elsewhere too
# where that is wanted; the server keeps it, and tries again, until then.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

path="${1:?the path of the file}"
name="${2:?the name of the file}"
archived="$backups/wal/$name"
mkdir -p "$backups/wal"
if [[ -e "$archived" ]]; then
  # The server may ask again for what it was told of just before it died; anything else would be two servers with one archive.
  cmp --silent "$path" "$archived" || fail "$name is archived already, with other contents"
else
  cp "$path" "$archived.partial"
  sync "$archived.partial"
  mv "$archived.partial" "$archived"
  sync "$backups/wal"
fi
# Of a file that is archived already, too: it is asked for again where this is what failed, and would be missing elsewhere for good.
if [[ -n "${SLUICE_BACKUP_REMOTE:-}" ]]; then
  need rclone
  elsewhere="$SLUICE_BACKUP_REMOTE/wal/$name"
  size="$(size_elsewhere "$name")" || fail "$name elsewhere cannot be read"
  # rclone would replace what another server has put there, by --immutable too. Where a copy broke off its beginning may be there.
  if [[ -n "$size" ]]; then
    # By sums, as cmp would take a network that goes for other contents.
    there="$(rclone cat "$elsewhere" | sha256sum)" || fail "$name elsewhere cannot be read"
    here="$(head --bytes "$size" "$archived" | sha256sum)"
    [[ "$there" == "$here" ]] || fail "$name is elsewhere already, with other contents"
  fi
  rclone copyto "$archived" "$elsewhere"
fi
