import { describe, expect, it } from 'vitest';
import type { Manifest, StoredPage } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { FakeClock } from '#libs/testing';
import { PageTables, type LocatedPages } from './page-tables.store.js';

const page = (number: number): StoredPage => ({
  ...{ number, firstRow: number * 10, rowCount: 10, byteCount: 1, checksum: new Uint8Array() },
});
const answer = (pages: number, state: Manifest['state'] = 'WRITING'): LocatedPages => ({
  manifest: { state, rowCount: pages * 10 } as Manifest,
  pages: Array.from({ length: pages }, (_, number) => page(number)),
});

/** A page table that answers when a test says so. */
class Table {
  readonly asked: PromiseWithResolvers<LocatedPages>[] = [];
  readonly ask = (): Promise<LocatedPages> => {
    const answered = Promise.withResolvers<LocatedPages>();
    this.asked.push(answered);
    return answered.promise;
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

describe('Where the rows of a run lie', () => {
  it('is asked once for all who come to a row together, and not again for the rows behind it', async () => {
    const [tables, table] = [new PageTables(new FakeClock()), new Table()];
    const all = Array.from({ length: 100 }, () => tables.locate('run', 0, table.ask));
    await settle();
    expect(table.asked).toHaveLength(1);
    table.asked[0]?.resolve(answer(3));
    expect(new Set(await Promise.all(all)).size).toBe(1);
    expect((await tables.locate('run', 29, table.ask)).pages).toHaveLength(3);
    expect(table.asked).toHaveLength(1);
    void tables.locate('other', 0, table.ask);
    await settle();
    expect(table.asked).toHaveLength(2);
  });

  it('is asked again where an answer may be older than what its reader has heard', async () => {
    const [tables, table] = [new PageTables(new FakeClock()), new Table()];
    const first = tables.locate('run', 30, table.ask);
    await settle();
    const behind = Array.from({ length: 100 }, () => tables.locate('run', 30, table.ask));
    table.asked[0]?.resolve(answer(3));
    expect((await first).pages).toHaveLength(3);
    await settle();
    expect(table.asked).toHaveLength(2);
    table.asked[1]?.resolve(answer(4));
    for (const { pages } of await Promise.all(behind)) expect(pages).toHaveLength(4);
    expect(table.asked).toHaveLength(2);
  });

  it('is not asked again behind the last row of a whole result', async () => {
    const [tables, table] = [new PageTables(new FakeClock()), new Table()];
    const first = tables.locate('run', 0, table.ask);
    await settle();
    table.asked[0]?.resolve(answer(3, 'COMPLETE'));
    await first;
    expect((await tables.locate('run', 30, table.ask)).manifest?.rowCount).toBe(30);
    expect(table.asked).toHaveLength(1);
  });

  it('is asked by another where the question of one fails for a reason of their own', async () => {
    const [tables, table] = [new PageTables(new FakeClock()), new Table()];
    const first = tables.locate('run', 0, table.ask);
    await settle();
    const others = Array.from({ length: 10 }, () => tables.locate('run', 0, table.ask));
    table.asked[0]?.reject(new AppError('auth.token_expired', 'The access token has ended.'));
    await expect(first).rejects.toMatchObject({ code: 'auth.token_expired' });
    await settle();
    expect(table.asked).toHaveLength(2);
    table.asked[1]?.resolve(answer(1));
    for (const { pages } of await Promise.all(others)) expect(pages).toHaveLength(1);
  });

  it('fails at once for all who wait where nobody can answer, and is asked again by the next', async () => {
    const [tables, table] = [new PageTables(new FakeClock()), new Table()];
    const all = Array.from({ length: 10 }, () => tables.locate('run', 0, table.ask));
    await settle();
    table.asked[0]?.reject(new AppError('bus.unavailable', 'Away.', { retryable: true }));
    for (const { status } of await Promise.allSettled(all)) expect(status).toBe('rejected');
    expect(table.asked).toHaveLength(1);
    void tables.locate('run', 0, table.ask);
    await settle();
    expect(table.asked).toHaveLength(2);
  });

  it('is known for five seconds, and no longer than its result is kept', async () => {
    const clock = new FakeClock();
    const [tables, table] = [new PageTables(clock), new Table()];
    const asksAgain = async (run: string): Promise<boolean> => {
      const before = table.asked.length;
      void tables.locate(run, 0, table.ask);
      await settle();
      return table.asked.length > before;
    };
    const expiresAt = new Date(clock.nowMs() + 1_000);
    for (const [run, known] of [
      ['kept', answer(1)],
      ['ending', { ...answer(1), manifest: { ...answer(1).manifest, expiresAt } as Manifest }],
    ] as const) {
      expect(await asksAgain(run)).toBe(true);
      table.asked.at(-1)?.resolve(known);
      await settle();
    }
    clock.advance(999);
    expect([await asksAgain('kept'), await asksAgain('ending')]).toEqual([false, false]);
    clock.advance(1);
    expect([await asksAgain('kept'), await asksAgain('ending')]).toEqual([false, true]);
    clock.advance(4_001);
    expect(await asksAgain('kept')).toBe(true);
  });
});
