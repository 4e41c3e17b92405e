import { describe, expect, it } from 'vitest';
import { runSluice } from '../run-sluice.ts';

describe('sluice config check', () => {
  it('says of each fault once which services have it', async () => {
    const { code, stdout } = await runSluice(['config', 'check']);
    const told = (setting: string): string[] =>
      stdout
        .split('\n')
        .filter((line) => line.includes(`${setting} is`))
        .map((line) => line.replace(/ is .*/, ''));
    expect([code, told('SLUICE_REDIS_BROKER_URL'), told('SLUICE_MASTER_KEYS')]).toEqual([
      1,
      ['gateway, auth, metadata, orchestrator, worker, results: SLUICE_REDIS_BROKER_URL'],
      // What it is for differs.
      [
        'gateway: SLUICE_MASTER_KEYS',
        'auth, metadata: SLUICE_MASTER_KEYS',
        'orchestrator: SLUICE_MASTER_KEYS',
        'worker: SLUICE_MASTER_KEYS',
      ],
    ]);
  });

  it('names no service where one was named', async () => {
    const { code, stdout } = await runSluice(['config', 'check', '--service', 'auth']);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^SLUICE_/)]);
  });
});
