#!/usr/bin/env bash
# new-server.sh DATA_DIRECTORY [DUMP]: the files of a new server that a logical dump can be restored to.
#
# Executions carry the number of the transaction that finished them, and subscribers and webhooks go on from such numbers
# (services/orchestrator/src/execution/finished.repository.ts). A new server begins to count at its beginning, so all that
# finishes there would seem older than what was told long ago. The epoch of its counter is therefore set beyond the dump's.
#
# Its WAL goes to the archive of the server before, which takes none under a name that it has, and from which prune.sh deletes what
# is older than the oldest base backup. So it goes on there, in the last timeline and beyond the last file.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need initdb pg_resetwal

data="${1:?names the data directory of the new server}"
dump="${2:-$(newest postgres)}"
transaction="$(sed -n 's/^transaction=//p' "$dump/manifest")"
[[ -n "$transaction" ]] || fail "$dump has no manifest"
if [[ -e "$data" ]] && [[ -n "$(ls -A "$data")" ]]; then fail "$data is not empty"; fi

# Of WAL that is archived, and of what base backups begin with, here and elsewhere.
names() {
  if [[ -d "$backups/wal" ]]; then find "$backups/wal" -type f -printf '%f\n'; fi
  whole base | while read -r base; do first_wal <"$base/data/backup_label"; done
  [[ -n "${SLUICE_BACKUP_REMOTE:-}" ]] || return 0
  need rclone
  listed wal
  listed base --recursive --files-only --max-depth 3 --include '/*/data/backup_label' | while read -r label; do
    rclone cat "$SLUICE_BACKUP_REMOTE/base/$label" | first_wal
  done
}
archived="$(names)"
# A name is a timeline, and a number of two halves; the history of a timeline is called after it alone.
timeline="$(sed -n 's/^\([0-9A-F]\{8\}\)\([0-9A-F]\{16\}.*\|\.history\)$/\1/p' <<<"$archived" | sort | tail -n 1)"
half="$(sed -n 's/^[0-9A-F]\{8\}\([0-9A-F]\{8\}\)[0-9A-F]\{8\}.*$/\1/p' <<<"$archived" | sort | tail -n 1)"
if [[ -n "$half" ]]; then next="$timeline$(printf '%08X' $((16#$half + 1)))00000000"; fi

initdb --pgdata "$data" --encoding UTF8 --locale C --data-checksums --auth-local peer --auth-host scram-sha-256 \
  ${SLUICE_BACKUP_PASSWORD_FILE:+--pwfile="$SLUICE_BACKUP_PASSWORD_FILE"} --username "${PGUSER:-postgres}" >/dev/null
pg_resetwal --epoch $((transaction / 4294967296 + 1)) ${next:+--next-wal-file "$next"} "$data" >/dev/null
if [[ -n "${next:-}" && "$timeline" != 00000001 ]]; then
  # Without it no base backup of the server could be made.
  "$(dirname "${BASH_SOURCE[0]}")/restore-wal.sh" "$timeline.history" "$data/pg_wal/$timeline.history"
fi
printf 'The server in %s counts its transactions from epoch %s on: start it, then run restore-postgres.sh.\n' \
  "$data" $((transaction / 4294967296 + 1))
