#!/usr/bin/env bash
# The nightly logical dump: roles, and the database `sluice` with all schemas. PGHOST, PGPORT, PGUSER and PGPASSFILE say where; the
# user must be a superuser or have pg_read_all_data and read pg_authid. A standby will do as PGHOST.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

database="${PGDATABASE:-sluice}"
begin postgres
need pg_dump pg_dumpall pg_restore psql
pg_dumpall --roles-only --database "$database" >"$target/roles.sql"
pg_dump --format directory --jobs "${SLUICE_BACKUP_JOBS:-2}" --compress 1 --file "$target/dump" "$database"
# What restore-postgres.sh must know: see there. The server's counter only grows, so read after the dump it is beyond all in it.
psql --no-psqlrc --quiet --no-align --tuples-only --dbname "$database" --command "
  select 'transaction=' || pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
  from (select case when pg_is_in_recovery() then null else pg_current_xact_id() end) advance
  union all select 'server=' || current_setting('server_version_num')
  union all select 'database=' || current_database()" >"$target/manifest"
# It can be read to its end.
pg_restore --list "$target/dump" >"$target/contents"
pg_restore --file /dev/null "$target/dump"
finish
