import type { RunState } from '#libs/contracts';
import { accessCondition, escapeLike, type ReachedAssets } from '#libs/database';
import { fenceAlias } from '#libs/sql';
import { activeStates, isFinal } from '../run/transitions.js';
import type { ListFilter } from './execution.types.js';

/** A place in the list: newest first. */
export interface Position {
  readonly micros: number;
  readonly id: string;
}

/** Makes a parameter of a value, and says its place. */
export type Placed = (value: unknown) => string;

const timeOf = (place: string): string => `'epoch'::timestamptz + ${place} * interval '1 microsecond'`;

/** What an index has in the order of the list. */
export function stretchConditions(filter: ListFilter, after: Position | undefined, place: Placed): string[] {
  const conditions = [`e.workspace_id = ${place(filter.workspaceId)}`];
  if (filter.callerId !== undefined) conditions.push(`e.caller_id = ${place(filter.callerId)}`);
  if (filter.submittedById !== undefined) conditions.push(`e.caller_id = ${place(filter.submittedById)}`);
  if (filter.submittedFrom) conditions.push(`e.submitted_at >= ${place(filter.submittedFrom)}`);
  if (filter.submittedTo) conditions.push(`e.submitted_at < ${place(filter.submittedTo)}`);
  if (after) {
    const time = timeOf(place(after.micros));
    conditions.push(`e.submitted_at <= ${time}`, `(e.submitted_at, e.id) < (${time}, ${place(after.id)})`);
  }
  return conditions;
}

/** What no index has in that order: executions are looked at one by one for it. */
export function siftConditions(filter: ListFilter, place: Placed): string[] {
  const reached = (assets: ReachedAssets): string =>
    accessCondition(assets, { source: 'r.source_id', query: 'e.saved_query_id' }, place);
  const conditions = filter.reached ? [reached(filter.reached)] : [];
  if (filter.savedQueryId !== undefined) conditions.push(`e.saved_query_id = ${place(filter.savedQueryId)}`);
  if (filter.dataSourceId !== undefined) conditions.push(`r.source_id = ${place(filter.dataSourceId)}`);
  if (filter.states.length > 0) {
    conditions.push(`coalesce(e.own_state, r.state) = any (${place(storedStates(filter.states))})`);
  }
  if (filter.search === undefined) return conditions;
  // Nor what stands in a saved query that one may only run.
  if (filter.readable) conditions.push(`(e.saved_query_id is null or ${reached(filter.readable)})`);
  // By searching one would find out what the policies in a statement are.
  if (!filter.readsPolicies) conditions.push(`position(${place(fenceAlias)} in r.sql) = 0`);
  conditions.push(`r.sql ilike ${place(`%${escapeLike(filter.search)}%`)}`);
  return conditions;
}

/** Only what has not ended is asked for: there is never much of it, and indexes have all such runs. */
export const isOfUnfinished = ({ states }: ListFilter): boolean =>
  states.length > 0 && !states.some((state) => isFinal(state));

/** With its states as text, by which the planner knows the indexes of unfinished runs. */
export const unfinishedCondition = `(r.state = 'QUEUED' or r.state in (${activeStates.map((state) => `'${state}'`).join(', ')}))`;

export function isSifted({ reached, savedQueryId, dataSourceId, states, search }: ListFilter): boolean {
  return states.length > 0 || [reached, savedQueryId, dataSourceId, search].some((each) => each !== undefined);
}

/** Up to and with this one, in the order of the list. */
export const isNotBehind = ({ micros, id }: Position, place: Placed): string =>
  `(e.submitted_at, e.id) >= (${timeOf(place(micros))}, ${place(id)})`;

/** DISPATCHED is told as QUEUED, so who asks for QUEUED asks for both. */
function storedStates(states: readonly RunState[]): RunState[] {
  return states.includes('QUEUED') ? [...states, 'DISPATCHED'] : [...states];
}
