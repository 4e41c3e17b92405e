import fc from 'fast-check';
import { tableNames, type Row, type TableName, type Tables } from './governed-tables.js';

/** A statement, and by hand what it answers where `tables` is all that there is. */
interface Drawn<Answer> {
  readonly sql: string;
  readonly reads: readonly TableName[];
  readonly answer: (tables: Tables) => readonly Answer[];
}

/** Of the four columns of a table. */
export type DrawnRelation = Drawn<Row>;

export interface DrawnQuery extends Drawn<readonly (string | number | null)[]> {
  readonly relation: DrawnRelation;
  /** What a counterexample shows of it. */
  readonly [fc.toStringMethod]: () => string;
}

const columns = (alias: string): string => ['id', 'region', 'amount', 'secret'].map((c) => `${alias}.${c}`).join(', ');

interface Condition {
  readonly sql: string;
  readonly holds: (row: Row) => boolean;
}

const conditions: readonly Condition[] = [
  { sql: 'true or a.id = 0', holds: () => true },
  { sql: "a.region <> 'US'", holds: ({ region }) => region !== null && region !== 'US' },
  { sql: 'a.region is null', holds: ({ region }) => region === null },
  { sql: 'a.amount > 3', holds: ({ amount }) => amount !== null && amount > 3 },
  { sql: "not (a.region = 'EU' and a.amount < 4)", holds: isNotSmallOfEurope },
];

// Unknown where either is null and the other is not false.
function isNotSmallOfEurope({ region, amount }: Row): boolean {
  return (region !== null && region !== 'EU') || (amount !== null && amount >= 4);
}

const filtered = (from: DrawnRelation, { sql, holds }: Condition): DrawnRelation => ({
  sql: `select ${columns('a')} from (${from.sql}) a where ${sql}`,
  reads: from.reads,
  answer: (tables) => from.answer(tables).filter(holds),
});

/** The name may be that of a table, which is another thing within. */
const named = (from: DrawnRelation, name: string): DrawnRelation => ({
  ...from,
  sql: `with ${name} as (${from.sql}) select ${columns('c')} from ${name} c`,
});

const arePartners = (a: Row, b: Row): boolean => a.id % 100 === b.id % 100;

type Two = (left: DrawnRelation, right: DrawnRelation) => Pick<DrawnRelation, 'sql' | 'answer'>;

const joined =
  (isOuter: boolean): Two =>
  (left, right) => ({
    sql: `select a.id, b.region, a.amount, b.secret from (${left.sql}) a
      ${isOuter ? 'left ' : ''}join (${right.sql}) b on a.id % 100 = b.id % 100`,
    answer: (tables) => {
      const others = right.answer(tables);
      return left.answer(tables).flatMap((a) => {
        const partners = others.filter((b) => arePartners(a, b));
        const shown = partners.length === 0 && isOuter ? [{ region: null, secret: null }] : partners;
        return shown.map(({ region, secret }) => ({ ...a, region, secret }));
      });
    },
  });

const together =
  (operation: string, put: (left: readonly string[], right: readonly string[]) => readonly string[]): Two =>
  (left, right) => ({
    sql: `select ${columns('u')} from ((${left.sql}) ${operation} (${right.sql})) u`,
    answer: (tables) => {
      const [a, b] = [left, right].map((each) => each.answer(tables).map((row) => JSON.stringify(listOf(row))));
      return put(a ?? [], b ?? []).map(rowOf);
    },
  });

const listOf = ({ id, region, amount, secret }: Row): unknown[] => [id, region, amount, secret];

function rowOf(text: string): Row {
  // What listOf made.
  const [id, region, amount, secret] = JSON.parse(text) as [number, string | null, number | null, string | null];
  return { id, region, amount, secret };
}

const ofTwo: readonly Two[] = [
  joined(false),
  joined(true),
  together('union all', (a, b) => [...a, ...b]),
  together('union', (a, b) => [...new Set([...a, ...b])]),
  together('except', (a, b) => [...new Set(a)].filter((row) => !b.includes(row))),
  together('intersect', (a, b) => [...new Set(a)].filter((row) => b.includes(row))),
  (left, right) => ({
    sql: `select ${columns('a')} from (${left.sql}) a
      where exists (select 1 from (${right.sql}) z where z.id % 100 = a.id % 100)`,
    answer: (tables) => {
      const others = right.answer(tables);
      return left.answer(tables).filter((a) => others.some((z) => arePartners(a, z)));
    },
  }),
  (left, right) => ({
    sql: `select ${columns('a')} from (${left.sql}) a where a.id % 100 >= (select max(z.id % 100) from (${right.sql}) z)`,
    answer: (tables) => {
      const others = right.answer(tables).map(({ id }) => id % 100);
      return others.length === 0 ? [] : left.answer(tables).filter(({ id }) => id % 100 >= Math.max(...others));
    },
  }),
];

const table = fc.constantFrom(...tableNames).map((name): DrawnRelation => ({
  sql: `select ${columns('t')} from ${name} t`,
  reads: [name],
  answer: (tables) => tables[name],
}));

const { relation } = fc.letrec<{ relation: DrawnRelation }>((tie) => ({
  relation: fc.oneof(
    { maxDepth: 3 },
    table,
    fc.tuple(tie('relation'), fc.constantFrom(...conditions)).map(([from, where]) => filtered(from, where)),
    fc.tuple(tie('relation'), fc.constantFrom('c1', ...tableNames)).map(([from, name]) => named(from, name)),
    fc
      .tuple(tie('relation'), tie('relation'), fc.constantFrom(...ofTwo))
      .map(([left, right, two]) => ({ ...two(left, right), reads: [...left.reads, ...right.reads] })),
  ),
}));

const sum = (rows: readonly Row[]): number | null =>
  rows.every(({ amount }) => amount === null) ? null : rows.reduce((total, { amount }) => total + (amount ?? 0), 0);

const groupsOf = (rows: readonly Row[]): (readonly [string | null, readonly Row[]])[] =>
  [...new Set(rows.map(({ region }) => region))].map((region) => [region, rows.filter((row) => row.region === region)]);

interface Outer {
  readonly sql: (from: string) => string;
  readonly answer: (rows: readonly Row[]) => readonly (string | number | null)[][];
}

const outers: readonly Outer[] = [
  {
    sql: (from) => `select ${columns('q')} from (${from}) q`,
    answer: (rows) => rows.map(({ id, region, amount, secret }) => [id, region, amount, secret]),
  },
  {
    sql: (from) => `select count(*) as n, sum(q.amount) as total, count(distinct q.secret) as secrets from (${from}) q`,
    answer: (rows) => {
      const secrets = new Set(rows.map(({ secret }) => secret).filter((secret) => secret !== null));
      return [[rows.length, sum(rows), secrets.size]];
    },
  },
  {
    sql: (from) =>
      `select q.region, count(*) as n, max(q.id) as last, sum(q.amount) as total from (${from}) q group by q.region`,
    answer: (rows) =>
      groupsOf(rows).map(([region, own]) => [region, own.length, Math.max(...own.map(({ id }) => id)), sum(own)]),
  },
  {
    sql: (from) => `select q.secret, count(*) over (partition by q.region) as n from (${from}) q`,
    answer: (rows) => groupsOf(rows).flatMap(([, own]) => own.map(({ secret }) => [secret, own.length])),
  },
];

export const drawnQuery: fc.Arbitrary<DrawnQuery> = fc
  .tuple(relation, fc.constantFrom(...outers))
  .map(([from, outer]) => ({
    relation: from,
    sql: outer.sql(from.sql),
    reads: from.reads,
    answer: (tables) => outer.answer(from.answer(tables)),
    [fc.toStringMethod]: () => outer.sql(from.sql),
  }));
