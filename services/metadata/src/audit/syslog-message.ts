import { hostname } from 'node:os';
import { entryOf } from './audit-body.js';
import type { StoredAuditEntry } from './audit-entry.repository.js';

/** RFC 5424's log audit facility, 13; notice for what was done and warning for what was refused. */
const facility = 13;
const severities = { SUCCESS: 5, FAILURE: 4 } as const;
const appName = 'sluice';
/** Where RFC 6587 and RFC 5425 have the text be UTF-8. */
const byteOrderMark = '\uFEFF';

/**
 * An entry as a message of RFC 5424: the chain's place and hashes as structured data, the entry itself as the text. The
 * receiver knows one that comes twice by workspace and sequence.
 */
export function syslogMessage(stored: StoredAuditEntry): string {
  const { workspaceId, occurredAt, action, outcome } = entryOf(stored.body);
  const priority = facility * 8 + severities[outcome];
  const at = (occurredAt ?? new Date(0)).toISOString();
  const chain = `[audit@32473 workspace="${quoted(workspaceId)}" sequence="${stored.sequence}" previousHash="${stored.previousHash.toString('hex')}" hash="${stored.hash.toString('hex')}"]`;
  return `<${priority}>1 ${at} ${word(hostname(), 255)} ${appName} - ${word(action, 32)} ${chain} ${byteOrderMark}${stored.body}`;
}

/** As a stream carries it: RFC 6587's octet counting, which RFC 5425 asks for. */
export function framed(message: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(message)} ${message}`);
}

function word(text: string, lengthMax: number): string {
  return text.replace(/[^\x21-\x7e]/g, '').slice(0, lengthMax) || '-';
}

function quoted(text: string): string {
  return text.replace(/["\\\]]/g, '\\$&');
}
