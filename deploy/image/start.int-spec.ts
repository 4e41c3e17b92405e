import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** As the image starts it, with nothing in its environment. */
function start(...words: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['deploy/image/start.mjs', ...words], {
    env: { PATH: process.env['PATH'] },
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

describe('The program of the image', () => {
  it.each(['auth', 'gateway', 'metadata', 'orchestrator', 'results', 'worker'])(
    'runs %s, which names what it lacks and ends with the code that systemd does not try again',
    (service) => {
      const { status, output } = start(service);
      expect(status).toBe(78);
      expect(output).toContain('SLUICE_REDIS_BROKER_URL is missing');
    },
  );

  it('runs a command for operators', () => {
    const { status, output } = start('sluice', 'new-secrets', '--format', 'kubernetes');
    expect(status).toBe(0);
    expect(Object.keys((JSON.parse(output) as { stringData: object }).stringData)).toContain('master-keys');
  });

  it('says what it takes where it is asked for anything else', () => {
    expect(start('gatewya')).toMatchObject({ status: 64, output: expect.stringContaining('gateway') as string });
  });
});
