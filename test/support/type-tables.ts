import { withClient } from '../../deploy/local/postgres.ts';

/** A table with one column for each type that matters and a row of values at the edges, readable by the source's role. */
export async function makeTypeTables(databaseUrl: string, reader: string): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    await client.query(`
      drop table if exists every_type;
      create table every_type (
        a_boolean boolean, a_smallint smallint, an_integer integer, a_bigint bigint,
        a_numeric numeric(40, 10), a_real real, a_double double precision,
        a_text text, a_uuid uuid, a_date date, a_time time, a_timestamp timestamp, a_timestamptz timestamptz,
        an_interval interval, some_bytes bytea, a_json json, a_jsonb jsonb, an_array integer[], texts text[]
      );
      insert into every_type values
        (true, -32768, 2147483647, 9223372036854775807,
         12345678901234567890.0123456789, 1.5, 0.1,
         'Grüße, 世界 🚀', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2001-02-03', '04:05:06.789012',
         '2001-02-03 04:05:06.789012', '2001-02-03 04:05:06.789012+02',
         '1 year 2 months 3 days 4 hours 5 minutes 6.5 seconds', '\\xdeadbeef',
         '{"a": [1, null]}', '{"b": {"c": 1.5}}', '{1,2,null}', '{"x","y z",null}'),
        (null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
        (false, 0, -2147483648, -9223372036854775808, 'NaN', 'Infinity', '-Infinity',
         '', '00000000-0000-0000-0000-000000000000', '0001-01-01', '23:59:59.999999',
         '9999-12-31 23:59:59.999999', '2001-01-01 00:00:00Z', '-00:00:01', '\\x', 'null', '[]', '{}', '{}');
      grant select on every_type to ${client.escapeIdentifier(reader)};
    `);
  });
}
