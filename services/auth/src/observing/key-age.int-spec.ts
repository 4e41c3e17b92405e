import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { startPostgres, type PostgresServer } from '#libs/testing';
import { MetricsRegistry } from '#libs/telemetry';
import { AuthHarness } from '../../test/auth-harness.js';
import { newSamlKey } from '../saml/new-saml-key.js';
import { KeyAgeMetrics } from './key-age-metrics.service.js';
import { KeyAgeRepository } from './key-age.repository.js';

let server: PostgresServer;
let auth: AuthHarness;
let metrics: MetricsRegistry;
beforeAll(async () => {
  server = await startPostgres();
  auth = await AuthHarness.start(await server.createDatabase());
  metrics = new MetricsRegistry('auth');
  void new KeyAgeMetrics(metrics, new KeyAgeRepository(auth.database));
});
afterAll(async () => {
  await auth.stop();
  await server.stop();
});

async function told(name: string): Promise<number | undefined> {
  const { body } = await metrics.expose();
  const value = new RegExp(`^sluice_auth_${name}\\{.*\\} (\\S+)$`, 'm').exec(body)?.[1];
  return value === undefined ? undefined : Number(value);
}

it('the age of the oldest data key is told', async () => {
  await auth.database.query(`update auth.workspace set data_key_made_at = '2020-01-01T00:00:00Z'`);
  expect(await told('oldest_data_key_timestamp_seconds')).toBe(Date.UTC(2020, 0, 1) / 1_000);
});

it('a provider is as good as the last of its certificates that can be read, and only those that are enabled count', async () => {
  expect(await told('provider_certificate_expiry_timestamp_seconds')).toBeUndefined();
  const { certificate } = await newSamlKey('idp');
  const [{ id: workspaceId } = { id: '' }] =
    await auth.database.query<{ id: string }[]>(`select id from auth.workspace`);
  await auth.database.query(
    `insert into auth.identity_provider (id, workspace_id, name, name_key, kind, enabled, options, secret_names, email_domains, rules)
     values ($1, $2, 'idp', 'idp', 'SAML', true, $3, '{}', '{}', '{}')`,
    [newId('identityProvider'), workspaceId, { certificates: [certificate] }],
  );
  // The certificates that newSamlKey makes end with their twentieth year.
  expect(await told('provider_certificate_expiry_timestamp_seconds')).toBe(
    Date.UTC(new Date().getUTCFullYear() + 20, 0, 1) / 1_000,
  );
  const broken = '-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n';
  const setCertificates = `update auth.identity_provider set options = $1`;
  await auth.database.query(setCertificates, [{ certificates: [broken, certificate] }]);
  expect(await told('provider_certificate_expiry_timestamp_seconds')).toBeGreaterThan(Date.now() / 1_000);
  await auth.database.query(setCertificates, [{ certificates: [broken] }]);
  expect(await told('provider_certificate_expiry_timestamp_seconds')).toBe(0);
  await auth.database.query(`update auth.identity_provider set enabled = false`);
  expect(await told('provider_certificate_expiry_timestamp_seconds')).toBeUndefined();
});

it('API keys are counted that are in use and end within a week', async () => {
  expect(await told('api_keys_ending')).toBe(0);
  const [user] = await auth.database.query<{ id: string; workspace_id: string }[]>(
    `select id, workspace_id from auth.user_account limit 1`,
  );
  const insert = (prefix: string, endsIn: string, usedAgo: string) =>
    auth.database.query(
      `insert into auth.api_key (id, workspace_id, user_id, name, prefix, secret_hash, expires_at, last_used_at)
       values ($1, $2, $3, $4, $4, '', now() + $5::interval, now() - $6::interval)`,
      [newId('apiKey'), user?.workspace_id, user?.id, prefix, endsIn, usedAgo],
    );
  await insert('soon', '3 days', '1 hour');
  await insert('later', '30 days', '1 hour');
  await insert('unused', '3 days', '30 days');
  expect(await told('api_keys_ending')).toBe(1);
});
