#!/usr/bin/env bash
# A base backup of the whole server, verified, from which restore-point-in-time.sh rolls forward by the archived WAL. The user needs
# the right to replicate.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

begin base
need pg_basebackup pg_verifybackup
pg_basebackup --pgdata "$target/data" --format plain --wal-method stream --checkpoint fast \
  --manifest-checksums SHA256 --no-password
# By it restore-point-in-time.sh knows the times that can be reached from here: none before.
date -u +%Y%m%dT%H%M%S.%NZ >"$target/ended"
# A bucket keeps no directory without a file, and the server does not start without these.
(cd "$target/data" && find . -type d -empty) >"$target/empty-directories"
pg_verifybackup --quiet "$target/data"
finish
