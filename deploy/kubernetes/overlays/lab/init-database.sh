#!/usr/bin/env bash
# Run once by the image of PostgreSQL: a database with a role and a schema for each service; nobody reads another's.
set -euo pipefail

password="$(cat /run/secrets/database-password)"
psql --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<'SQL'
create database sluice;
revoke connect on database postgres, sluice from public;
SQL
for service in auth metadata orchestrator results; do
  psql --set ON_ERROR_STOP=1 --username postgres --dbname sluice --set role="sluice_$service" --set schema="$service" \
    --set password="$password" <<'SQL'
create role :"role" login password :'password';
grant connect on database sluice to :"role";
create schema :"schema" authorization :"role";
SQL
done
