import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { aCaller, aPolicy, text } from '../../test/policy-builders.js';
import { SourcePolicies } from '../index.js';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

const columns = ['day', 'region', 'amount'].map((name) => ({ name, sourceType: name === 'region' ? 'text' : 'int' }));

function nodesOf(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

describe('through a policy’s fence, a partitioned and indexed table of PostgreSQL is read as through the same condition', () => {
  let server: PostgresServer;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startPostgres();
    client = new pg.Client({ connectionString: await server.createDatabase() });
    await client.connect();
    await client.query(`create table sales (day int, region text, amount int) partition by list (region);
      create table sales_eu partition of sales for values in ('EU');
      create table sales_us partition of sales for values in ('US');
      insert into sales select i, case i % 2 when 0 then 'EU' else 'US' end, i from generate_series(1, 40000) i;
      create index on sales (day); analyze sales`);
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  /** The tables that are read, and how, once the values are bound. */
  async function scans(sql: string, values: readonly (string | null)[] = []): Promise<readonly string[]> {
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(`explain (format json) ${sql}`, [
      ...values,
    ]);
    const nodes = rows[0] ? nodesOf(rows[0]['QUERY PLAN'][0].Plan) : [];
    return nodes.flatMap((node) => {
      const table = node['Relation Name'];
      return table === undefined ? [] : [`${table} ${node['Node Type'].includes('Seq') ? 'whole' : 'by index'}`];
    });
  }

  async function governed(sql: string, predicate: string): Promise<readonly string[]> {
    const policies = new SourcePolicies({
      ...{ dialect: 'postgres', maskKey: 'key', searchPath: ['public'] },
      policies: [aPolicy({ table: { name: 'sales' }, predicate })],
      tables: [{ schema: 'public', name: 'sales', columns }],
    });
    const caller = aCaller({ attributes: { region: text('EU'), day: { type: 'integer', value: '7' } } });
    const compiled = await policies.compile({ sql, caller });
    return scans(
      compiled.sql,
      compiled.values.map(({ value }) => value),
    );
  }

  it.each([
    ['a partition', 'region = {{ user.region }}', "region = 'EU'", ['sales_eu whole']],
    ['a list of partitions', 'region in ({{ user.region }})', "region in ('EU')", ['sales_eu whole']],
    ['an index', 'day = {{ user.day }}', 'day = 7', ['sales_eu by index', 'sales_us by index']],
    ['both', 'region = {{ user.region }} and day < {{ user.day }}', "region = 'EU' and day < 7", ['sales_eu by index']],
  ])('%s', async (_what, predicate, condition, expected) => {
    expect(await scans(`select sum(amount) from sales where ${condition}`)).toEqual(expected);
    expect(await governed('select sum(amount) from sales', predicate)).toEqual(expected);
    // Also where the statement has a condition, and a join, of its own.
    expect(await governed('select count(*) from sales s where amount > 3', predicate)).toEqual(expected);
  });
});
