import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkHistory } from './check-history.js';
import { HistoryFile, readHistory, type Note } from './history-file.js';
import type { Operation, Question, ToldPage } from './operation.js';
import { invariants, type Invariant } from './report.js';

const mark = 'm1';
const question: Question = { kind: 'rows', mark, rows: 3 };

const asked = (key = 'k1', more: Partial<Question> = {}): Note => ({
  f: 'submit',
  type: 'invoke',
  key,
  caller: 'ann',
  question: { ...question, ...more },
});
const accepted = (execution = 'exe_1', key = 'k1', isHit = false): Note => ({
  ...{ f: 'submit', type: 'ok', key, execution, isHit },
});
const connected: Note = { f: 'subscribe', type: 'invoke', execution: 'exe_1', gateway: 'a' };
const lost: Note = { f: 'subscribe', type: 'info', execution: 'exe_1', end: 'closed with 1012' };
const completed: Note = { f: 'subscribe', type: 'ok', execution: 'exe_1' };
const told = (name: string, more: object = {}): Note => ({
  ...{ f: 'told', type: 'info', execution: 'exe_1' },
  event: { name, ...more },
});
const snapshot = told('ExecutionSnapshot', { version: 1 });
const page = (offset: number, count: number, more: Partial<ToldPage> = {}): Note =>
  told('RowsAppended', { page: { offset, count, wrong: 0, outside: 0, ...more } });
const ended = (state = 'SUCCEEDED'): Note => told('ExecutionStateChanged', { version: 3, state });
const seen = (more: object = {}): Note => ({
  ...{ f: 'seen', type: 'ok', execution: 'exe_1', key: 'k1', state: 'SUCCEEDED', finishedAtMs: 5_000 },
  ...{ code: null, retryable: null, attempts: 1, isLast: true, ...more },
});
const statements = (isLast: boolean, ...marks: string[]): Note => ({ f: 'statements', type: 'ok', marks, isLast });
const finished = (execution = 'exe_1', state = 'SUCCEEDED'): Note => ({
  ...{ f: 'finished', type: 'info', caller: 'ann', execution, state },
});
const change = (type: 'invoke' | 'ok', value: number): Note => ({ f: 'change', type, name: 'n', value });
const saved = (value: number): Note => ({ f: 'saved', type: 'ok', name: 'n', value });

/** One execution from its question to its end, followed over a break, with nothing wrong. */
const whole: readonly Note[] = [
  finished('exe_0'),
  asked(),
  accepted(),
  connected,
  snapshot,
  page(0, 2),
  lost,
  statements(false, mark),
  connected,
  snapshot,
  page(2, 1),
  ended(),
  completed,
  finished(),
  change('invoke', 1),
  change('ok', 1),
  change('invoke', 2),
  saved(1),
  statements(true),
  seen(),
];

/** One second from line to line. */
const asHistory = (notes: readonly Note[]): Operation[] =>
  notes.map((note, index) => ({ atMs: index * 1_000, process: 'p', ...note }));

/** The whole history with some of its lines replaced by others. */
function broken(replaced: Note, ...by: Note[]): Note[] {
  const index = whole.indexOf(replaced);
  const place = index === -1 ? whole.findIndex((note) => JSON.stringify(note) === JSON.stringify(replaced)) : index;
  return whole.toSpliced(place, 1, ...by);
}

const faultsOf = async (notes: readonly Note[]): Promise<[Invariant, string][]> => {
  const { faults } = await checkHistory(asHistory(notes));
  return invariants.flatMap((invariant) => faults[invariant].map((fault): [Invariant, string] => [invariant, fault]));
};

describe('The checker of histories', () => {
  test('finds nothing in a history that keeps every promise, and counts it', async () => {
    expect(await faultsOf(whole)).toEqual([]);
    const { counts, ends, errors } = await checkHistory(asHistory(whole));
    expect(counts).toMatchObject({
      operations: 20,
      submitted: 1,
      accepted: 1,
      subscribers: 1,
      connections: 2,
      rows: 3,
    });
    expect(counts).toMatchObject({ 'changes acknowledged': 1, 'changes of unknown outcome': 1, events: 5 });
    expect({ ends, errors }).toEqual({ ends: { 'rows: SUCCEEDED': 1 }, errors: [] });
  });

  test.each<[string, Invariant, Note[], string]>([
    ['an accepted execution that is gone', 'ends', broken(seen()), 'is not known any more'],
    ['one that never ends', 'ends', broken(seen(), seen({ state: 'RUNNING' })), 'is RUNNING in the end'],
    ['a final state that changes', 'ends', [seen({ state: 'FAILED', isLast: false }), ...whole], 'was FAILED and then'],
    [
      'an end that is forgotten',
      'ends',
      [...whole, asked('k2'), seen({ execution: 'exe_2', isLast: false })],
      'not there',
    ],
    [
      'a key that is accepted twice',
      'ends',
      [...whole, accepted('exe_2'), seen({ execution: 'exe_2' })],
      'exe_1 and exe_2',
    ],
    ['a key that makes two executions', 'ends', [...whole, seen({ execution: 'exe_2' })], 'made 2 executions'],
    [
      'a refused question that is executed',
      'ends',
      [
        ...whole,
        asked('k2'),
        { f: 'submit', type: 'fail', key: 'k2', error: 'no' },
        seen({ execution: 'exe_2', key: 'k2' }),
      ],
      'was refused and made',
    ],
    [
      'a failure that says it cannot be asked again',
      'ends',
      broken(seen(), seen({ state: 'FAILED', code: 'internal', retryable: false })),
      'ended as FAILED internal',
    ],
    [
      'a query that runs on',
      'source',
      [...whole, ...Array<Note>(12).fill(saved(1)), statements(false, mark)],
      'still runs 2',
    ],
    ['a query that is left in the end', 'source', broken(statements(true), statements(true, mark)), 'in the end'],
    ['a row outside a policy', 'policies', broken(page(2, 1), page(2, 1, { outside: 1 })), '1 rows lie outside'],
    ['a row that is told twice', 'events', broken(page(2, 1), page(1, 2)), 'repeat'],
    ['a row that is missed', 'events', broken(page(0, 2), page(0, 1)), 'gap'],
    ['a row that is wrong', 'events', broken(page(2, 1), page(2, 1, { wrong: 1 })), '1 rows are wrong'],
    ['too few rows', 'events', broken(page(2, 1)), '2 rows of 3'],
    ['an end that is never told', 'events', broken(ended()), 'no final state'],
    ['an end that is told wrong', 'events', broken(ended(), ended('CANCELED')), 'was told CANCELED, but is SUCCEEDED'],
    [
      'an end that is told late',
      'events',
      broken(ended(), ...Array<Note>(12).fill(saved(1)), ended()),
      'ms after its commit',
    ],
    ['a connection that is refused', 'events', broken(lost, { ...lost, end: 'NOT_FOUND' }), 'was refused'],
    ['an end that a caller is not told of', 'events', broken(finished()), 'ann was not told'],
    ['an end that a caller is told of twice', 'events', [...whole, finished()], 'told 2 times'],
    [
      'an end that a caller is told wrong',
      'events',
      broken(finished(), finished('exe_1', 'FAILED')),
      'told that exe_1 is FAILED',
    ],
    ['ends that are skipped', 'events', [...whole, finished('unknown', 'skipped: expired')], 'skipped'],
    ['an acknowledged change that is lost', 'changes', broken(saved(1), saved(0)), '1 was acknowledged'],
    ['a change that nobody made', 'changes', broken(saved(1), saved(7)), 'n is 7'],
    ['a changed thing that is gone', 'changes', broken(saved(1)), 'never read again'],
  ])('finds %s', async (_, invariant, history, fault) => {
    const found = await faultsOf(history);
    expect(
      found
        .filter(([of]) => of === invariant)
        .map(([, text]) => text)
        .join('\n'),
    ).toContain(fault);
  });

  test('lets a change of unknown outcome be there or not', async () => {
    expect(await faultsOf(broken(saved(1), saved(2)))).toEqual([]);
  });

  test('lets a crash take the record of a hit without a key, and of nothing else', async () => {
    const hit = (isRelaxed: boolean): Note[] => [...whole, asked('k2', { isRelaxed }), accepted('exe_2', 'k2', true)];
    expect(await faultsOf(hit(true))).toEqual([]);
    expect(await faultsOf(hit(false))).toEqual([['ends', 'exe_2 (rows) was accepted and is not known any more']]);
  });

  test('bears with a source and a subscriber while something is broken, and not behind it', async () => {
    const outage: Note[] = [
      ...Array<Note>(12).fill(saved(1)),
      { f: 'outage', type: 'ok', name: 'x', fromMs: 4_000, mendedMs: 22_000 },
    ];
    const late = broken(ended(), ...outage, statements(false, mark), ended());
    expect(await faultsOf(late)).toEqual([]);
  });

  test('measures how long those waited who were waiting when an outage was over', async () => {
    const outage: Note = { f: 'outage', type: 'ok', name: 'x', fromMs: 500, mendedMs: 1_500 };
    const { outages } = await checkHistory(asHistory([...whole, outage]));
    const answered = { waiting: 1, answeredAfterMs: 500 };
    expect(outages).toEqual([{ name: 'x', brokenMs: 1_000, ...answered, followed: 1, endedAfterMs: 10_500 }]);
  });

  test('counts as errors what clients are told, and not that they wait', async () => {
    const info = (isTold: boolean): Note => ({ f: 'submit', type: 'info', key: 'k1', error: 'busy', isTold });
    const { errors } = await checkHistory(asHistory(broken(accepted(), info(false), info(true), accepted())));
    expect(errors).toEqual(['p: submit: busy']);
    const relaxed = await checkHistory(asHistory(broken(asked(), asked('k1', { isRelaxed: true }), info(true))));
    expect(relaxed.errors).toEqual([]);
  });

  test('reads what was written', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-history-'));
    try {
      const file = new HistoryFile(join(directory, 'a', 'history.jsonl'));
      for (const note of whole) file.recorderOf('p')(note);
      file.close();
      const read: unknown[] = [];
      for await (const operation of readHistory(file.path)) read.push(operation);
      expect(read).toMatchObject(whole.map((note) => ({ ...note, process: 'p' })));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
