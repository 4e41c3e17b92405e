// Plans a statement of 60 lines with four tables, a policy on two of them and three parameters, as the orchestrator does: from
// the template to the key. Each time another statement, and then the same one again; beside it the parser alone, and a
// hash of the statement alone. Writes {fresh, parsed, repeated, hashed}, lists of milliseconds. Argument: how many of each.
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { SourcePolicies } from '../../dist/libs/sql/src/index.js';
import { parsePostgres } from '../../dist/libs/sql/src/postgres/postgres-parser.js';
import { AppLogger } from '../../dist/libs/telemetry/src/index.js';
import { QueryPlanner } from '../../dist/services/orchestrator/src/plan/query-planner.service.js';
import { flightKey } from '../../dist/services/orchestrator/src/submission/flight-key.js';

const count = Number(process.argv[2]);
const columns = (names) => names.map((name) => ({ name, sourceType: name === 'id' ? 'integer' : 'text' }));
const table = (name, names) => ({ schema: 'public', name, columns: columns(['id', 'region', ...names]) });
const policy = (id, name) => ({
  ...{ id, table: { name }, groupNames: [], exemptGroupNames: [], key: null, masks: [] },
  predicate: 'region = {{ user.region }}',
});
const policies = new SourcePolicies({
  dialect: 'postgres',
  policies: [policy('pol_1', 'orders'), policy('pol_2', 'customers')],
  tables: [
    table('orders', ['customer_id', 'product_id', 'day', 'amount', 'status', 'currency']),
    table('customers', ['name', 'segment', 'country']),
    table('products', ['name', 'category', 'price']),
    table('rates', ['currency', 'day', 'rate']),
  ],
  searchPath: ['public'],
  catalog: 'shop',
  maskKey: 'key',
});
const region = { type: 'text', value: 'EU' };
const caller = { id: 'usr_1', email: 'ann@example.org', groupNames: [], attributes: { region } };
const source = {
  ...{ id: 'src_1', workspaceId: 'wsp_1', name: 'shop', type: 'postgres', version: 1, options: {} },
  ...{ maxConcurrentExecutions: 4, paused: false },
};

function statement(number) {
  const sums = Array.from(
    { length: 21 },
    (_, n) => `  sum(case when o.status = 'state ${n}' then o.amount else 0 end) as sum_${n},`,
  );
  const joins = [
    'from orders o',
    'join customers c on c.id = o.customer_id',
    'join products p on p.id = o.product_id',
    'left join rates r',
    '  on r.currency = o.currency',
    '  and r.day = o.day',
  ];
  const filters = Array.from(
    { length: 16 },
    (_, n) => `  and (p.category <> 'category ${n}' or c.segment = 'segment ${n}')`,
  );
  return [
    'with chosen as (',
    ...['select', '  c.country,', '  p.category,', ...sums, '  count(*) as orders,', '  max(r.rate) as rate'],
    ...joins,
    ...["where o.day >= '{{ from }}'", '  and o.day < {{ until }}', '  and o.status in ({{ states | list }})'],
    ...filters,
    ...['group by c.country, p.category', 'having count(*) > 1', ')', 'select country, category, orders,'],
    ...[
      `  rank() over (partition by country order by orders desc) as place_${number}`,
      'from chosen',
      'order by country, orders desc',
    ],
    'limit 500',
  ].join('\n');
}

const limits = { rows: 1_000_000, bytes: 1_000_000_000, timeoutMs: 300_000 };
const planner = new QueryPlanner(AppLogger.create({ service: 'bench', instance: 'b1', level: 'silent' }));

async function plan(text) {
  const given = { from: '2026-01-01', until: '2026-07-01', states: ['paid', 'sent', 'returned'] };
  const planned = await planner.plan({
    ...{ source, text, given, definitions: [], timeZone: 'Europe/Berlin', nowMs: Date.now() },
    caller: { id: 'usr_1', email: 'ann@example.org', groups: [], attributes: new Map([['region', region]]) },
    policies: { policies, caller },
    limits: { rows: limits.rows },
    places: { text: ['query', 'sql', 'text'], parameters: ['query', 'sql', 'parameters'] },
  });
  const { sql, values, policyFingerprint } = planned;
  const of = { workspaceId: 'wsp_1', sourceId: 'src_1', sourceVersion: 1, limits, subjects: [], ceiling: '' };
  return { key: flightKey({ ...of, sql, values, policyFingerprint }), sql };
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

const lines = statement(0).split('\n').length;
if (lines !== 60) throw new Error(`the statement has ${lines} lines`);
for (let n = 0; n < 200; n += 1) await plan(statement(`warm_${n}`));
const { sql: compiled } = await plan(statement('same'));
const times = { fresh: [], parsed: [], repeated: [], hashed: [] };
for (let n = 0; n < count; n += 1) {
  times.parsed.push(await timed(() => parsePostgres(compiled.replace('place_same', `control_${n}`))));
  times.fresh.push(await timed(() => plan(statement(n))));
  times.hashed.push(await timed(() => createHash('sha256').update(compiled).digest()));
  times.repeated.push(await timed(() => plan(statement('same'))));
}
process.stdout.write(JSON.stringify(times));
