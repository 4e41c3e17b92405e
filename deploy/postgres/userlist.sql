-- Prints PgBouncer's userlist.txt from the server's own secrets; run it as superuser:
--   psql --no-align --tuples-only --file userlist.sql > userlist.txt && chmod 600 userlist.txt
select format('"%s" "%s"', rolname, rolpassword)
from pg_catalog.pg_authid
where rolcanlogin and rolpassword is not null and (rolname ~ '^sluice_' or rolname ~ '^pgbouncer_')
order by rolname;
