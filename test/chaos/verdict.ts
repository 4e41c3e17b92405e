import { createHash } from 'node:crypto';
import { checkHistory, wrongRows, type History } from '../support/history.js';
import type { RunningMesh } from '../support/running-mesh.js';
import { rowsPerQuery, type Asked } from './load.js';

/** A time in which something was broken on purpose. */
export interface Outage {
  name: string;
  fromMs: number;
  toMs: number;
}

export interface Summary {
  executions: number;
  states: Record<string, number>;
  connections: number;
  /** Runs that needed more than one try. */
  retried: number;
  rows: number;
  toldAfterMsMax: number;
  faults: string[];
}

interface Truth {
  id: string;
  state: string;
  finishedAtMs: number;
  retryable: boolean | null;
  code: string | null;
  message: string | null;
  rows: number;
  attempts: number;
}

/** From the commit of a final state, or from the subscriber's return if that is later. */
const toldWithinMs = 5_000;

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** Holds everything that was told against the promises and against what the orchestrator's own tables say. */
export async function judge(mesh: RunningMesh, asked: readonly Asked[], outages: readonly Outage[]): Promise<Summary> {
  const truths = await readTruths(mesh);
  const summary: Summary = {
    executions: asked.length,
    states: {},
    connections: 0,
    retried: 0,
    rows: 0,
    toldAfterMsMax: 0,
    faults: [],
  };
  for (const one of asked) judgeOne(one, truths.get(one.id), outages, summary);
  return summary;
}

function judgeOne(asked: Asked, truth: Truth | undefined, outages: readonly Outage[], summary: Summary): void {
  const { faults, rows, finalState, finalAtMs } = checkHistory(asked.history);
  const complain = (fault: string): void => void summary.faults.push(`${asked.id} (${asked.kind}): ${fault}`);
  faults.forEach(complain);
  summary.connections += asked.history.sittings.length;
  summary.rows += rows.length;
  const key = `${asked.kind}: ${finalState ?? 'none'}${truth?.code ? ` ${truth.code}` : ''}`;
  summary.states[key] = (summary.states[key] ?? 0) + 1;
  if (!truth) return complain('was accepted, but the orchestrator does not have it');
  if (truth.attempts > 1) summary.retried += 1;
  if (truth.state !== finalState) complain(`was told ${finalState ?? 'nothing'}, but is ${truth.state}`);
  judgeRows(asked, rows, truth, complain);
  judgeState(asked, truth, complain);
  if (finalAtMs !== undefined) judgeDelay(asked.history, truth, finalAtMs, outages, summary, complain);
}

function judgeRows(asked: Asked, rows: unknown[][], truth: Truth, complain: (fault: string) => void): void {
  if (asked.kind !== 'rows' && asked.kind !== 'slow rows') return;
  const wrong = wrongRows(rows, md5);
  if (wrong.length > 0) complain(`${wrong.length} rows are wrong, the first is row ${wrong[0] ?? -1}`);
  if (truth.state === 'SUCCEEDED' && rows.length !== rowsPerQuery) complain(`${rows.length} rows were told`);
}

// What was not canceled succeeds, unless its rows had begun to show when its worker or its source was lost.
function judgeState({ kind }: Asked, truth: Truth, complain: (fault: string) => void): void {
  if (truth.state === 'SUCCEEDED' && kind !== 'canceled') return;
  if (truth.state === 'CANCELED' && kind === 'canceled') return;
  if (truth.state === 'FAILED' && truth.retryable === true) return;
  complain(`ended as ${truth.state} ${truth.code ?? ''}: ${truth.message ?? ''}`);
}

function judgeDelay(
  { sittings }: History,
  truth: Truth,
  finalAtMs: number,
  outages: readonly Outage[],
  summary: Summary,
  complain: (fault: string) => void,
): void {
  const returnedAtMs = sittings.at(-1)?.receivedAtMs[0] ?? 0;
  const mended = outages.filter(({ fromMs }) => fromMs < finalAtMs).filter(({ toMs }) => toMs > truth.finishedAtMs);
  const begun = Math.max(truth.finishedAtMs, returnedAtMs, ...mended.map(({ toMs }) => toMs));
  const delayMs = finalAtMs - begun;
  summary.toldAfterMsMax = Math.max(summary.toldAfterMsMax, delayMs);
  if (delayMs > toldWithinMs) complain(`its final state was told ${delayMs} ms after its commit`);
}

async function readTruths(mesh: RunningMesh): Promise<Map<string, Truth>> {
  const { rows } = await mesh.sluice.query<Truth>(`
    select e.id, coalesce(e.own_state, r.state) as state,
      (extract(epoch from coalesce(e.own_finished_at, r.finished_at)) * 1000)::float8 as "finishedAtMs",
      r.error_retryable as retryable, r.error_code as code, r.error_message as message, r.rows::float8 as rows, r.attempts
    from orchestrator.execution e join orchestrator.run r on r.id = e.run_id`);
  return new Map(rows.map((row) => [row.id, row]));
}

/** How many executions the keys of this run have made; more than were accepted means that one was made twice. */
export async function countExecutions(mesh: RunningMesh, keyPrefix: string): Promise<number> {
  const { rows } = await mesh.sluice.query<{ count: number }>(
    "select count(*)::int as count from orchestrator.execution where idempotency_key like $1 || '%'",
    [keyPrefix],
  );
  return rows[0]?.count ?? 0;
}
