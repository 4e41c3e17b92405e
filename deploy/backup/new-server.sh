#!/usr/bin/env bash
# new-server.sh DATA_DIRECTORY [DUMP]: the files of a new server that a logical dump can be restored to.
#
# Executions carry the number of the transaction that finished them, and subscribers and webhooks go on from such numbers
# (services/orchestrator/src/execution/finished.repository.ts). A new server begins to count at its beginning, so all that
# finishes there would seem older than what was told long ago. The epoch of its counter is therefore set beyond the dump's.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need initdb pg_resetwal

data="${1:?names the data directory of the new server}"
dump="${2:-$(newest postgres)}"
transaction="$(sed -n 's/^transaction=//p' "$dump/manifest")"
[[ -n "$transaction" ]] || fail "$dump has no manifest"
if [[ -e "$data" ]] && [[ -n "$(ls -A "$data")" ]]; then fail "$data is not empty"; fi

initdb --pgdata "$data" --encoding UTF8 --locale C --data-checksums --auth-local peer --auth-host scram-sha-256 \
  ${SLUICE_BACKUP_PASSWORD_FILE:+--pwfile="$SLUICE_BACKUP_PASSWORD_FILE"} --username "${PGUSER:-postgres}" >/dev/null
pg_resetwal --epoch $((transaction / 4294967296 + 1)) "$data" >/dev/null
printf 'The server in %s counts its transactions from epoch %s on: start it, then run restore-postgres.sh.\n' \
  "$data" $((transaction / 4294967296 + 1))
