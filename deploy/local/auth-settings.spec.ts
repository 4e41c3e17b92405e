import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authSettings } from './auth-settings.ts';

const networks = 'SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS';
let folder: string;

beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function fileOf(text: string): string {
  const file = join(folder, 'value');
  writeFileSync(file, text);
  return file;
}

describe('what auth is told of a local installation', () => {
  it('names the port that the gateway listens on in links, unless its user has said where they lead', () => {
    const local = { gatewayPort: 4_017, withIssuer: false };
    expect(authSettings(local, {})).toEqual({ SLUICE_AUTH_ACCOUNT_URL: 'http://localhost:4017/account' });
    const page = 'https://app.example.com/account';
    expect(authSettings(local, { SLUICE_AUTH_ACCOUNT_URL: page })).toEqual({});
    expect(authSettings(local, { SLUICE_AUTH_ACCOUNT_URL_FILE: fileOf(page) })).toEqual({});
    expect(authSettings(local, { SLUICE_CONFIG_FILE: '/etc/sluice.yaml' })).toEqual({});
  });

  it('lets in the issuer of this machine beside the networks that its user has named, however', () => {
    const local = { gatewayPort: 4_000, withIssuer: true };
    const allowed = (environment: Record<string, string>) => authSettings(local, environment)[networks];
    expect(allowed({})).toBe('127.0.0.0/8');
    expect(allowed({ [networks]: '10.0.0.0/8,fd00::/8' })).toBe('10.0.0.0/8,fd00::/8,127.0.0.0/8');
    const byFile = { [`${networks}_FILE`]: fileOf('10.0.0.0/8\n') };
    expect(allowed(byFile)).toBe('10.0.0.0/8,127.0.0.0/8');
    expect(authSettings(local, byFile)[`${networks}_FILE`]).toBe('');
  });
});
