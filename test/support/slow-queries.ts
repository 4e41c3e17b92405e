import { randomUUID } from 'node:crypto';

export interface MarkedQuery {
  /** Is in the text that reaches the source, so the statement can be found there. */
  mark: string;
  text: string;
}

// As an alias, because a comment may be taken away on the way to the source; letters first, as an identifier begins.
function newMark(): string {
  return `m${randomUUID().replaceAll('-', '')}`;
}

/** Runs for hours: what has to be canceled, timed out or lost. PostgreSQL and DuckDB both take it. */
export function endlessQuery(): MarkedQuery {
  const mark = newMark();
  return {
    mark,
    text: `select count(*) as ${mark} from generate_series(1, 10000000) a(i) cross join generate_series(1, 10000000) b(j) where a.i + b.j < 0`,
  };
}

/** Takes about as many milliseconds as asked, within what a machine's load makes of it, and answers one row. */
export function slowQuery(milliseconds: number): MarkedQuery {
  const mark = newMark();
  return {
    mark,
    text: `select count(*) as ${mark} from generate_series(1, 1000) a(i) cross join generate_series(1, ${milliseconds * 8}) b(j) where a.i + b.j > 0`,
  };
}

/** Many rows, each of which says by itself whether it is right: [n, md5(n)]. */
export function manyRowsQuery(count: number): MarkedQuery {
  const mark = newMark();
  return { mark, text: `select i, md5(i::text) as ${mark} from generate_series(1, ${count}) t(i)` };
}

/** Rows that come slowly, `work` steps each, so that there is time to break something in the middle of them. */
export function slowRowsQuery(count: number, work = 20_000): MarkedQuery {
  const mark = newMark();
  return {
    mark,
    text: `select i, md5(i::text) as ${mark} from generate_series(1, ${count}) t(i) where (select count(*) from generate_series(1, ${work}) w(j) where j + i > 0) > 0`,
  };
}

/** A text that no other test asks, so that single flight does not join it to anything. */
export function unique(sql: string): string {
  return `${sql} /* ${randomUUID()} */`;
}
