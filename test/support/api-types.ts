// What the tests read of the public contract; test/conformance/core.graphql has the whole.

export interface UserError {
  code: string;
  message: string;
  path: string[];
  retryable: boolean;
}

export interface Failures {
  errors: UserError[];
}

export type ExecutionState = 'QUEUED' | 'RUNNING' | 'CANCELING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED' | 'TIMED_OUT';

const finalStates: ReadonlySet<ExecutionState> = new Set(['SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT']);

export function isFinal(state: ExecutionState): boolean {
  return finalStates.has(state);
}

export interface Execution {
  id: string;
  state: ExecutionState;
  version: number;
  sql: string | null;
  priority: string;
  submittedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  attempts: number;
  traceId: string | null;
  progress: { rows: number; bytes: number };
  error: { code: string; message: string; retryable: boolean; sourceCode: string | null } | null;
  cache: { status: string };
  result: Result | null;
}

export interface Result {
  id: string;
  state: 'WRITING' | 'COMPLETE' | 'PARTIAL' | 'EXPIRED';
  rowCount: number;
  truncated: boolean;
  columns: Column[];
}

export interface Column {
  name: string;
  type: string;
  nullable: boolean;
}

export type Row = unknown[];

export interface RowPage {
  offset: number;
  rows: Row[];
  endCursor: string;
  hasNextPage: boolean;
}

export interface ExecutionEvent {
  __typename: string;
  cursor: string;
  execution: { id: string; state: ExecutionState; version: number; progress: { rows: number } } | null;
  state?: ExecutionState;
  version?: number;
  page?: RowPage;
  reason?: string;
}

export const executionFields = `
  id state version sql priority submittedAt startedAt finishedAt attempts traceId
  progress { rows bytes } error { code message retryable sourceCode } cache { status }
  result { id state rowCount truncated columns { name type nullable } }`;

export const errorFields = 'errors { code message path retryable }';
