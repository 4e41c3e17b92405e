import type { EntityManager } from 'typeorm';
import { queryPrepared } from '#libs/database';
import { runColumns, toRun, type RunRow } from './run.row.js';
import type { Run, RunTry } from './run.types.js';
import { finalStates, transitions, type TransitionName } from './transitions.js';

/** Values of columns that are set along with the state; undefined leaves a column as it is. */
export interface MoveValues {
  /** Assignments in SQL, such as `lease_until = now() + make_interval(secs => $4)`; their parameters count from $4. */
  readonly set?: readonly string[];
  /** A further condition on the row, in the same parameters. */
  readonly where?: string;
  readonly parameters?: readonly unknown[];
  /** A statement over the moved row `r`, such as one that writes its event, in the same parameters. */
  readonly beside?: string;
}

/**
 * The only statement that writes a run's state: fenced, and only from a state that the transition names.
 * @returns the run as it is now, or undefined where the row was not in such a state under this fence
 */
export async function moveRun(
  manager: EntityManager,
  { id, fence }: RunTry,
  name: TransitionName,
  { set = [], where = 'true', parameters = [], beside }: MoveValues = {},
): Promise<Run | undefined> {
  const { from } = transitions[name];
  const rows = await queryPrepared<RunRow>(
    manager,
    `with r as (
       update orchestrator.run set ${assignments(name, set)}
       where id = $1 and fence = $2 and state = any ($3) and (${where})
       returning *
     )${beside ? `, beside as (${beside})` : ''}
     select ${runColumns} from r`,
    [id, fence, from, ...parameters],
  );
  const [row] = rows;
  return row && toRun(row);
}

/** The assignments of a transition, for statements that pick their rows in another way than by id and fence. */
export function assignments(name: TransitionName, more: readonly string[] = []): string {
  const { to, isVisible } = transitions[name];
  const isEnd = finalStates.some((state) => state === to);
  return [
    `state = '${to}'`,
    ...(isVisible ? ['version = version + 1'] : []),
    ...(isEnd ? endOfRun : []),
    ...(to === 'QUEUED' ? backInQueue : []),
    ...more,
  ].join(', ');
}

// The transaction's own id and a number: the order in which final states are listed.
const endOfRun = [
  'finished_at = now()',
  'finished_xid = pg_current_xact_id()',
  `finished_seq = nextval('orchestrator.finished_seq')`,
  'lease_until = null',
  'source = null',
  'bound_values = null',
  'reach = null',
];

// A run in the queue has nothing of the try that is over.
const backInQueue = [
  'queued_at = now()',
  'worker_id = null',
  'lease_until = null',
  'deadline = null',
  'source_handle = null',
  'reaped_until = null',
  'rows = 0',
  'bytes = 0',
  'fraction = null',
];
