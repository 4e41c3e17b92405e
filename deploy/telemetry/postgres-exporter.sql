-- The user of postgres_exporter: it reads statistics, and no row of any table.
-- psql -d sluice -v password="'…'" -f postgres-exporter.sql, to the database that it connects to.
create role sluice_monitor login password :password connection limit 5;
grant pg_monitor to sluice_monitor;
-- docs/postgres.md takes it from everybody.
select format('grant connect on database %I to sluice_monitor', current_database()) \gexec
