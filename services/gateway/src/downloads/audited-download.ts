import type { Request } from 'express';
import type { AccessRecord } from '#libs/service';
import { currentClient } from '../request/request-scope.js';
import type { OpenDownload } from './download-opener.service.js';

/** A file that begins to leave, for the audit log; each part of one that is fetched in parts is told of. */
export function auditedDownload({ grant, principal }: OpenDownload, requestId: string, request: Request): AccessRecord {
  const { executionId, format } = grant;
  const { workspaceId, userId, sessionId, apiKeyId } = principal;
  const client = currentClient();
  return {
    workspaceId,
    action: 'result.downloaded',
    actor: { kind: 'USER', id: userId, sessionId, apiKeyId },
    target: { type: 'execution', id: executionId },
    requestId,
    clientAddress: client?.clientAddress,
    userAgent: client?.userAgent,
    after: { format, ...(request.headers.range === undefined ? {} : { range: request.headers.range.slice(0, 100) }) },
  };
}
