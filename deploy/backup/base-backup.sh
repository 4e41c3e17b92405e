#!/usr/bin/env bash
# A base backup of the whole server, verified, from which restore-point-in-time.sh rolls forward by the archived WAL. The user needs
# the right to replicate.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need pg_basebackup pg_verifybackup

begin base
pg_basebackup --pgdata "$target/data" --format plain --wal-method stream --checkpoint fast \
  --manifest-checksums SHA256 --no-password
pg_verifybackup --quiet "$target/data"
finish
