import type { Thresholds } from '../thresholds.js';

/** Runs one statement that only reads. */
export type Query = <Row>(sql: string, parameters?: readonly unknown[]) => Promise<Row[]>;

export interface PostgresSubject {
  readonly query: Query;
  readonly limits: Thresholds;
}

/** The schemas of the services. */
export const schemas = ['auth', 'metadata', 'orchestrator', 'results'] as const;

/** One setting of the server, in words as `show` has them. */
export async function settingOf({ query }: PostgresSubject, name: string): Promise<string | undefined> {
  const [row] = await query<{ setting: string | null }>('select current_setting($1, true) as setting', [name]);
  return row?.setting ?? undefined;
}
