#!/usr/bin/env bash
# restore-postgres.sh [DUMP]: roles and database from a logical dump (the last one, where none is named), to the server that PGHOST,
# PGPORT, PGUSER and PGPASSFILE name, which new-server.sh has made and which has no such database yet.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need pg_restore psql

dump="${1:-$(newest postgres)}"
check_sums "$dump"
database="$(sed -n 's/^database=//p' "$dump/manifest")"
transaction="$(sed -n 's/^transaction=//p' "$dump/manifest")"
ask() { psql --no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 --dbname "$@"; }

[[ -z "$(ask postgres --command "select 1 from pg_database where datname = '$database'")" ]] ||
  fail "the server has a database $database already: it is never overwritten"
now="$(ask postgres --command 'select pg_current_xact_id()')"
((now >= transaction)) ||
  fail "the server counts its transactions from $now on, the dump's are up to $transaction: make it by new-server.sh"

# Roles that are there stay as they are; the superuser always is.
present="$(ask postgres --command "select string_agg(rolname, '|') from pg_roles")"
{ grep -Ev "^(CREATE|ALTER) ROLE \"?($present)\"?[ ;]" "$dump/roles.sql" || true; } | ask postgres --file - >/dev/null
pg_restore --exit-on-error --create --jobs "${SLUICE_BACKUP_JOBS:-2}" --dbname postgres "$dump/dump"
ask "$database" --command 'analyze'
echo "$database is restored from $dump"
