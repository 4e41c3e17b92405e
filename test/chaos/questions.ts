import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { manyRowsQuery } from '../support/slow-queries.js';
import type { Question } from './history/operation.js';
import type { Random } from './random.js';

export interface Asked extends Question {
  text: string;
  /** Which of the trial's sources it is for. */
  source: 'open' | 'governed';
  maxAgeSeconds?: number;
}

export const rowsPerQuery = 3_000;
export const regions = ['north', 'south', 'east', 'west'] as const;
export type Region = (typeof regions)[number];
const salesPerRegion = 40;

const newMark = (): string => `m${randomUUID().replaceAll('-', '')}`;

interface Recipe {
  weight: number;
  ask: () => Omit<Asked, 'kind'>;
}

/** Waits at the source without work for it, so that hundreds fit on one machine. */
function waiting(view: string): { text: string; mark: string; source: 'open' } {
  const mark = newMark();
  return { mark, source: 'open', text: `select count(*) as ${mark} from ${view}` };
}

const recipes: Record<string, Recipe> = {
  short: { weight: 6, ask: () => waiting('one_row') },
  slow: { weight: 4, ask: () => waiting('slow_row') },
  rows: { weight: 3, ask: () => ({ ...manyRowsQuery(rowsPerQuery), source: 'open', rows: rowsPerQuery }) },
  'slow rows': {
    weight: 3,
    ask: () => {
      const mark = newMark();
      return { mark, source: 'open', rows: rowsPerQuery, text: `select i, md5(i::text) as ${mark} from slow_rows` };
    },
  },
  canceled: { weight: 2, ask: () => ({ ...waiting('endless_row'), isCanceled: true }) },
  // The same few texts again and again: who has asked with other attributes must not be answered with that.
  governed: {
    weight: 3,
    ask: () => ({
      mark: '',
      source: 'governed',
      rows: salesPerRegion,
      maxAgeSeconds: 5,
      text: `select region, number from sales where number > ${-1 - Math.floor(Math.random() * 5)}`,
    }),
  },
  cached: {
    weight: 3,
    ask: () => ({ mark: '', source: 'open', text: 'select 42 as cached', maxAgeSeconds: 60, isRelaxed: true }),
  },
};

export function anyQuestion(random: Random): Asked {
  const kind = random.pick(Object.entries(recipes).flatMap(([name, { weight }]) => Array<string>(weight).fill(name)));
  const recipe = recipes[kind];
  if (!recipe) throw new Error(`there is no question ${kind}`);
  return { kind, ...recipe.ask() };
}

/** What the questions read. Time passes in views, as a statement may not call functions that only wait. */
export async function prepareSource(superuserUrl: string, reader: string): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  try {
    await client.query(`
      create view one_row as select 1 as n;
      create view slow_row as select pg_sleep(0.8)::text as n;
      create view endless_row as select pg_sleep(3600)::text as n;
      create view slow_rows as select i from generate_series(1, ${rowsPerQuery}) t(i)
        where case when i % 500 = 0 then pg_sleep(0.25)::text else '' end = '';
      create table sales (region text not null, number int not null);
      insert into sales select r, n from unnest('{${regions.join(',')}}'::text[]) r, generate_series(1, ${salesPerRegion}) n;
      grant select on one_row, slow_row, endless_row, slow_rows, sales to ${reader};`);
  } finally {
    await client.end();
  }
}
