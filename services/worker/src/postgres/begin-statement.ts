import type { SessionPurpose } from '../connector/connector.js';
import type { PostgresClient } from './postgres-client.js';

/** How long a session may hold its transaction without a statement before the server itself ends it. */
const idleInTransaction = '60s';

/** As much of a name as the server keeps; one that it has cut itself would no longer be found. */
const nameLengthMax = 63;

/**
 * The name that a run's session has at the server, and by which it is found there: the whole id of the run and as much as
 * fits of the id of who asked first (all but its last 5 characters, which nobody needs to tell users apart).
 */
export function applicationName({ runId, submittedById }: Pick<SessionPurpose, 'runId' | 'submittedById'>): string {
  return `sluice ${runId} ${submittedById}`
    .replace(/[^\w -]/g, '?')
    .slice(0, nameLengthMax)
    .trimEnd();
}

/**
 * Begins a run's transaction in one round trip. Every setting is local to it, so that its end takes all of them back.
 *
 * The sluice.* settings say to logs and audits of the server whose run it is. The user is not among them: a run answers all
 * who ask the same, so nothing at the source may go by the one who asked first. What the source's owner wants to go by is in
 * the purpose's own settings, which are equal for all whom the run answers.
 *
 * standard_conforming_strings is what the proof of the statement rests on: with it off, a backslash would end strings
 * elsewhere than the parser saw. The forms of values are what postgres-text.ts reads.
 */
export function beginStatement(client: PostgresClient, purpose: SessionPurpose): string {
  const { runId, workspaceId, timeoutMs, settings: identity = {} } = purpose;
  const { options, checksConnection } = client;
  const escapeIdentifier = (name: string): string => client.client.escapeIdentifier(name);
  const escapeLiteral = (text: string): string => client.client.escapeLiteral(text);
  const searchPath = [...options.schemas.map(escapeIdentifier), 'pg_temp'].join(', ');
  const settings: Readonly<Record<string, string>> = {
    statement_timeout: String(Math.max(1, Math.ceil(timeoutMs))),
    idle_in_transaction_session_timeout: `'${idleInTransaction}'`,
    application_name: escapeLiteral(applicationName(purpose)),
    'sluice.run_id': escapeLiteral(runId),
    'sluice.workspace_id': escapeLiteral(workspaceId),
    search_path: searchPath,
    standard_conforming_strings: 'on',
    client_encoding: `'UTF8'`,
    datestyle: `'ISO, YMD'`,
    intervalstyle: `'iso_8601'`,
    timezone: `'UTC'`,
    bytea_output: `'hex'`,
    extra_float_digits: '1',
    // Where the server can: a session whose worker has died ends within seconds, in the middle of its statement too.
    ...(checksConnection ? { client_connection_check_interval: `'5s'` } : {}),
  };
  const set = Object.entries(settings).map(([name, value]) => `set local ${name} = ${value}`);
  for (const [name, value] of Object.entries(identity)) {
    // Not set_config: a server that is set up well lets nobody call it.
    set.push(`set local ${name.split('.').map(escapeIdentifier).join('.')} = ${escapeLiteral(value)}`);
  }
  return ['begin transaction read only', ...set].join('; ');
}
