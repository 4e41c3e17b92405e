import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemPostgres, unprivilegedDirectory } from '#libs/testing';

let directory: string;
beforeEach(async () => {
  directory = await unprivilegedDirectory();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('the user of postgres_exporter connects to a database from which docs/postgres.md has shut out everybody else', async () => {
  await using server = await SystemPostgres.start({ directory: join(directory, 'server') });
  await server.query('create database sluice');
  await server.query('revoke connect on database sluice from public');
  await server.query('create role somebody login');
  const psql = async (...arguments_: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(
      'psql',
      ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set', 'ON_ERROR_STOP=1', ...arguments_],
      { env: { PATH: '/usr/bin:/bin', ...server.environment } },
    );
    return stdout.trim();
  };
  const file = join(import.meta.dirname, 'postgres-exporter.sql');
  await psql('--dbname', 'sluice', '--set', `password='a password'`, '--file', file);
  expect(await psql('--dbname', 'sluice', '--username', 'sluice_monitor', '--command', 'select 1')).toBe('1');
  await expect(psql('--dbname', 'sluice', '--username', 'somebody', '--command', 'select 1')).rejects.toThrow(
    /permission denied/,
  );
});
