import { execFile } from 'node:child_process';
import { cp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Execution, SourceConnection } from '#libs/contracts';
import { SystemPostgres, unprivileged, unprivilegedDirectory } from '#libs/testing';
import { openDatabase } from '../../test/data-source.js';
import { repeatInHistory } from '../../test/long-history.js';
import {
  answerAround,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from '../../test/orchestrator-harness.js';

// `npm run drill` has 1,000,000.
const executions = Number(process.env['SLUICE_DRILL_EXECUTIONS'] ?? '5000');
const secondsMax = 300;

const principal = newPrincipal({ permissions: new Set(['query.run', 'execution.read']) });
const source: SourceConnection = newSource(principal.workspaceId);

let directory: string;
let server: SystemPostgres;
const databases: DataSource[] = [];

beforeAll(async () => {
  directory = await unprivilegedDirectory();
  // Whoever runs them there may not see the folder of this repository.
  await cp(resolve(import.meta.dirname, '../../../../deploy/backup'), join(directory, 'scripts'), { recursive: true });
  await writeFile(join(directory, 'password'), 'postgres\n');
  server = await SystemPostgres.start({ directory: join(directory, 'first') });
  await server.query('create database sluice');
  await server.query('create role sluice_orchestrator login');
  await server.query('grant connect on database sluice to sluice_orchestrator');
}, 600_000);
afterAll(async () => {
  await Promise.all(databases.map((each) => each.destroy()));
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

async function orchestratorHere(): Promise<Orchestrator & { database: DataSource }> {
  const database = await openDatabase(server.urlOf('sluice'), 4);
  databases.push(database);
  const orchestrator = startOrchestrator(database);
  answerAround(orchestrator.bus, source);
  return { ...orchestrator, database };
}

async function finished(orchestrator: Orchestrator, text: string): Promise<Execution> {
  const worker = new TestWorker(orchestrator);
  await worker.announce(100);
  const execution = await submitSql(orchestrator, principal, source, text);
  await worker.claim({ runId: execution.runId, fence: 1 });
  await worker.succeed({ runId: execution.runId, fence: 1 });
  return execution;
}

async function script(name: string, ...arguments_: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(join(directory, 'scripts', name), arguments_, {
    ...unprivileged,
    cwd: directory,
    env: {
      PATH: '/usr/bin:/bin',
      ...server.environment,
      SLUICE_BACKUP_DIRECTORY: join(directory, 'backups'),
      SLUICE_BACKUP_PASSWORD_FILE: join(directory, 'password'),
    },
  });
  return stdout;
}

/** Rows of each table, and a sum over all that is in them. */
async function fingerprint(database: DataSource): Promise<Record<string, unknown>> {
  const tables: { name: string }[] = await database.query(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'orchestrator' order by 1`,
  );
  const prints: Record<string, unknown> = {};
  for (const { name } of tables) {
    const [print]: unknown[] = await database.query(
      `select count(*) as rows, sum(hashtextextended(t::text, 0)::numeric) as sum from ${name} t`,
    );
    prints[name] = print;
  }
  return prints;
}

describe(`With ${executions.toLocaleString('en')} executions`, () => {
  it('what a logical dump has is restored whole after the loss of the server, within five minutes', async () => {
    const before = await orchestratorHere();
    const first = await finished(before, 'select 0');
    await repeatInHistory(before.database, first, executions);
    const { position: after } = await before.executions.listFinished({ limit: 10 }, principal);
    const had = await fingerprint(before.database);

    const dumpSeconds = await secondsOf(() => script('dump-postgres.sh'));
    await before.database.destroy();
    databases.length = 0;
    await server.stop();
    await rm(join(directory, 'first'), { recursive: true });

    const restoreSeconds = await secondsOf(async () => {
      await script('new-server.sh', join(directory, 'second'));
      server = await SystemPostgres.start({ directory: join(directory, 'second') });
      await script('restore-postgres.sh');
    });
    const restored = await orchestratorHere();
    expect(await fingerprint(restored.database)).toEqual(had);
    expect(restoreSeconds).toBeLessThan(secondsMax);
    process.stdout.write(`restore drill: dump ${dumpSeconds} s, restore ${restoreSeconds} s\n`);

    // A subscriber that resumes where it was hears of what ends from now on, and of nothing twice.
    const next = await finished(restored, 'select 1');
    const resumed = await restored.executions.listFinished({ after, limit: 10 }, principal);
    expect(resumed).toMatchObject({ skipped: false, finished: [{ execution: { id: next.id } }] });
    const [role]: unknown[] = await restored.database.query(
      `select has_database_privilege('sluice_orchestrator', 'sluice', 'connect') as connects`,
    );
    expect(role).toEqual({ connects: true });
  }, 1_800_000);

  it('a dump overwrites no database, and goes to no server that would count its transactions from the beginning', async () => {
    await expect(script('restore-postgres.sh')).rejects.toThrow(/never overwritten/);
    await Promise.all(databases.splice(0).map((each) => each.destroy()));
    await server.stop();
    server = await SystemPostgres.start({ directory: join(directory, 'third') });
    await expect(script('restore-postgres.sh')).rejects.toThrow(/make it by new-server.sh/);
  });
});

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return Math.round((performance.now() - begun) / 100) / 10;
}
