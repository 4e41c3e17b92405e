import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authSettings } from './auth-settings.ts';
import { userEnvironment } from './user-environment.ts';

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
  });

  it('counts what stands in a file of settings as set, and nothing else', async () => {
    const told = async (withIssuer: boolean, settings: string): Promise<Record<string, string>> => {
      const file = fileOf(`version: 1\nsettings:\n  ${settings}\n`);
      return authSettings({ gatewayPort: 4_000, withIssuer }, await userEnvironment({ SLUICE_CONFIG_FILE: file }));
    };
    expect(await told(false, 'SLUICE_AUTH_ACCOUNT_URL: https://app.example.com/account')).toEqual({});
    expect(await told(false, 'SLUICE_LOG_LEVEL: warn')).toEqual({
      SLUICE_AUTH_ACCOUNT_URL: 'http://localhost:4000/account',
    });
    expect((await told(true, `${networks}: [10.0.0.0/8, 'fd00::/8']`))[networks]).toBe(
      '10.0.0.0/8,fd00::/8,127.0.0.0/8',
    );
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
