-- The user of postgres_exporter: it reads statistics, and no row of any table.
-- psql -v password="'…'" -f postgres-exporter.sql
create role sluice_monitor login password :password connection limit 5;
grant pg_monitor to sluice_monitor;
