import fc from 'fast-check';

/** What two grammars write differently. */
export interface QueryWords {
  /** The whole row of an alias as text. */
  readonly wholeRow: (alias: string) => string;
  readonly tableForms: readonly string[];
}

const columns = (alias: string): string => `${alias}.id, ${alias}.region, ${alias}.amount, ${alias}.secret`;

/**
 * Queries of four columns (id, region, amount, secret) over t1, t2 and t3: joins, set operations, subqueries in every
 * place, lateral ones, windows, aggregates, and common table expressions that take the tables' own names.
 */
export function queryCases({ wholeRow, tableForms }: QueryWords): fc.Arbitrary<string> {
  const table = fc.constantFrom(...tableForms);
  const { query } = fc.letrec<{ query: string; relation: string; condition: string }>((tie) => {
    const relation = tie('relation');
    const condition = tie('condition');
    const nested = tie('query');
    return {
      relation: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        { weight: 3, arbitrary: table },
        { weight: 1, arbitrary: nested.map((inner) => `(${inner})`) },
      ),
      condition: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.constantFrom('100 / a.amount > 0', 'cast(a.secret as int) > 0', "a.region <> 'US'", 'a.id < 6', 'true'),
        relation.map((other) => `exists (select 1 from ${other} z where z.id = a.id)`),
        relation.map((other) => `a.id in (select z.id from ${other} z)`),
        relation.map((other) => `a.id >= (select min(z.id) from ${other} z)`),
        fc.tuple(condition, condition).map(([left, right]) => `(${left} or ${right})`),
      ),
      query: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.tuple(relation, condition).map(([from, where]) => `select ${columns('a')} from ${from} a where ${where}`),
        fc
          .tuple(relation, relation, condition, fc.constantFrom('join', 'left join', 'full join'))
          .map(
            ([left, right, where, join]) =>
              `select a.id, b.region, a.amount, b.secret from ${left} a ${join} ${right} b on a.id = b.id where ${where}`,
          ),
        fc
          .tuple(relation, relation)
          .map(
            ([left, right]) =>
              `select a.id, l.region, l.amount, a.secret from ${left} a, lateral (select * from ${right} x where x.id <= a.id) l`,
          ),
        relation.map((from) => `select id, region, amount, secret from ${from} as q(id, region, amount, secret)`),
        relation.map((from) => `select a.id, a.region, a.amount, ${wholeRow('a')} as secret from ${from} a`),
        relation.map(
          (from) =>
            `select max(a.id) as id, a.region, max(a.amount) as amount, min(a.secret) as secret from ${from} a group by a.region`,
        ),
        relation.map(
          (from) =>
            `select a.id, a.region, a.amount, max(a.secret) over (partition by a.region) as secret from ${from} a`,
        ),
        fc
          .tuple(nested, nested, fc.constantFrom('union', 'union all', 'except', 'intersect'))
          .map(([left, right, operation]) => `(${left}) ${operation} (${right})`),
        fc
          .tuple(fc.constantFrom('t1', 't2', 'c'), nested, nested, fc.constantFrom('', ' materialized'))
          .map(([name, inner, outer, kept]) => `with ${name} as${kept} (${inner}) ${outer}`)
          .map((text) => `select * from (${text}) w`),
        fc
          .tuple(nested, relation)
          .map(
            ([inner, from]) =>
              `with t1 as (${inner}), t2 as (select * from t1) select ${columns('a')} from t2 a union all select ${columns('b')} from ${from} b`,
          )
          .map((text) => `select * from (${text}) w`),
      ),
    };
  });
  return query;
}
