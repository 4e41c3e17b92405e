import { resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, it } from 'vitest';
import { wordListSource } from '../word-list-source.js';
import { curateDuckdbFunctions } from './function-rules.js';

describe('the list of allowed DuckDB functions', () => {
  it('is what the rules make of the catalog of the bundled release; `vitest run -u` writes it anew', async () => {
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    const reader = await connection.runAndReadAll('select function_name, function_type from duckdb_functions()');
    const functions = reader.getRows().map(([name, kind]) => ({ name: String(name), kind: String(kind) }));
    instance.closeSync();
    const source = wordListSource(
      'allowedDuckdbFunctions',
      'Made from duckdb_functions() by function-rules.ts; allowed-functions.int-spec.ts keeps it so.',
      curateDuckdbFunctions(functions),
    );
    await expect(source).toMatchFileSnapshot(resolve(import.meta.dirname, 'allowed-functions.ts'));
  });
});
