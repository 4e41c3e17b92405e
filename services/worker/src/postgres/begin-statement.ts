import type { SessionPurpose } from '../connector/connector.js';
import type { PostgresClient } from './postgres-client.js';

/** How long a session may hold its transaction without a statement before the server itself ends it. */
const idleInTransaction = '60s';

/** The name that a run's session has at the server, and by which it is found there. */
export function applicationName(runId: string): string {
  // Longer ones are cut by the server, and would no longer be found.
  return `sluice ${runId}`.slice(0, 63);
}

/**
 * Begins a run's transaction in one round trip. Every setting is local to it, so that its end takes all of them back.
 *
 * standard_conforming_strings is what the proof of the statement rests on: with it off, a backslash would end strings
 * elsewhere than the parser saw. The forms of values are what postgres-text.ts reads.
 */
export function beginStatement(client: PostgresClient, { runId, timeoutMs }: SessionPurpose): string {
  const { options, checksConnection } = client;
  const searchPath = [...options.schemas.map((schema) => client.client.escapeIdentifier(schema)), 'pg_temp'].join(', ');
  const settings: Readonly<Record<string, string>> = {
    statement_timeout: String(Math.max(1, Math.ceil(timeoutMs))),
    idle_in_transaction_session_timeout: `'${idleInTransaction}'`,
    application_name: client.client.escapeLiteral(applicationName(runId)),
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
  return ['begin transaction read only', ...set].join('; ');
}
