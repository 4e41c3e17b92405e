import type { Execution } from '#libs/contracts';
import { isErrorCode, toPublicErrorCode } from '#libs/kernel';

export const eventType = 'execution.finished';

/**
 * What a receiver is told, in the form of Standard Webhooks: which execution has ended, and how. Never rows, statements,
 * parameters or messages of the source, which quote values: who may see those asks with a credential of his own.
 */
export function payloadOf(execution: Execution): string {
  const { error, state } = execution;
  return JSON.stringify({
    type: eventType,
    timestamp: execution.finishedAt,
    data: {
      executionId: execution.id,
      workspaceId: execution.workspaceId,
      state,
      version: execution.version,
      savedQueryId: execution.savedQueryId ?? null,
      dataSourceId: execution.dataSourceId,
      submittedById: execution.submittedById,
      submittedAt: execution.submittedAt,
      startedAt: execution.startedAt ?? null,
      finishedAt: execution.finishedAt,
      rowCount: state === 'SUCCEEDED' ? execution.rows : null,
      byteCount: state === 'SUCCEEDED' ? execution.bytes : null,
      cacheStatus: execution.cacheStatus,
      attempts: execution.attempts,
      error: error
        ? { code: isErrorCode(error.code) ? toPublicErrorCode(error.code) : 'INTERNAL', retryable: error.retryable }
        : null,
    },
  });
}
