import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authRequests } from '#libs/contracts';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { AuthHarness } from '../../test/auth-harness.js';
import { TransactionRepository } from '../transaction/transaction.repository.js';
import { RevocationRepository } from './revocation.repository.js';

let server: PostgresServer;
let auth: AuthHarness;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

const list = (afterRevision: number) => auth.askAsService(authRequests.listRevocations, { afterRevision });
const add = (id: string, hold: Promise<unknown> = Promise.resolve(), added: () => void = () => undefined) =>
  auth.get(TransactionRepository).run(async (transaction) => {
    await auth.get(RevocationRepository).add(transaction, 'SESSION', [id]);
    added();
    await hold;
  });

describe('revocations', () => {
  it('that commit out of order are skipped by nobody who reads on from a revision', async () => {
    const slowMayCommit = Promise.withResolvers<void>();
    const slowHasRevision = Promise.withResolvers<void>();
    const slow = add('ses_slow', slowMayCommit.promise, slowHasRevision.resolve);
    await slowHasRevision.promise;
    const fast = add('ses_fast');
    // The fast one waits for the slow one, so its revision cannot be seen first.
    await until(async () => {
      const waiting = await auth.database.query<unknown[]>(
        `select 1 from pg_locks where locktype = 'advisory' and not granted`,
      );
      return waiting.length > 0;
    });
    const meanwhile = await list(0);
    expect(meanwhile.revocations).toEqual([]);
    slowMayCommit.resolve();
    await Promise.all([slow, fast]);
    const after = await list(meanwhile.revision);
    expect(after.revocations.map(({ subjectId }) => subjectId)).toEqual(['ses_slow', 'ses_fast']);
  });

  it('reach a reader that polls through 200 concurrent writers, each once and in order', async () => {
    const begun = (await list(0)).revision;
    const seen: string[] = [];
    let areDone = false;
    const writers = Promise.all(Array.from({ length: 200 }, (_, index) => add(`ses_many_${index}`))).finally(() => {
      areDone = true;
    });
    for (let revision = begun; ;) {
      const isLast = areDone;
      const page = await list(revision);
      seen.push(...page.revocations.map(({ subjectId }) => subjectId));
      expect(page.revision).toBeGreaterThanOrEqual(revision);
      revision = page.revision;
      if (isLast) break;
    }
    await writers;
    expect(seen).toHaveLength(200);
    expect(new Set(seen).size).toBe(200);
  });

  it('leave the revision alone where there is nothing new, and tell the database’s time', async () => {
    const { revision } = await list(0);
    const again = await list(revision);
    expect(again).toMatchObject({ revision, revocations: [] });
    expect(Math.abs((again.now?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('are all told to a reader from a future that a restore has taken back', async () => {
    const { revision, revocations } = await list(0);
    const restored = await list(revision + 1_000_000);
    expect(restored.revision).toBe(revision);
    expect(restored.revocations).toHaveLength(revocations.length);
  });

  it('are forgotten when no token of before can still live', async () => {
    await add('ses_old');
    await auth.database.query(
      `update auth.revocation set not_before = now() - interval '1 day' where subject_id = 'ses_old'`,
    );
    expect((await list(0)).revocations.map(({ subjectId }) => subjectId)).not.toContain('ses_old');
    await auth.get(RevocationRepository).deleteOld();
    const rows = await auth.database.query<unknown[]>(`select 1 from auth.revocation where subject_id = 'ses_old'`);
    expect(rows).toEqual([]);
  });

  it('are for services only', async () => {
    const asNobody = auth.ask(authRequests.listRevocations, { afterRevision: 0 });
    expect((await auth.refusal(asNobody)).code).toBe('auth.forbidden');
    const asCaller = auth.ask(authRequests.listRevocations, { afterRevision: 0 }, await auth.admin());
    expect((await auth.refusal(asCaller)).code).toBe('auth.forbidden');
  });
});
