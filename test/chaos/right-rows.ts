import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { readAllRows } from '../support/executions.js';
import { wrongRows } from '../support/history.js';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** How many rows are there; each is proven to be the one it must be. */
export async function countRightRows(client: ApiClient, { id }: { readonly id: string }): Promise<number> {
  const rows = await readAllRows(client, id, 10_000);
  expect(wrongRows(rows, md5)).toEqual([]);
  return rows.length;
}
