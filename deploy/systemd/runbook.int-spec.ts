import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const etc = mkdtempSync(join(tmpdir(), 'sluice-runbook-'));
afterAll(() => rmSync(etc, { recursive: true }));

it.each(['sh', 'bash'])('the addresses that runbooks name have the logins of the examples in them, in %s', (shell) => {
  for (const name of ['common', 'orchestrator', 'doctor']) {
    const own = join(etc, `${name}.env`);
    copyFileSync(`deploy/systemd/${name}.env.example`, own);
    const lines = readFileSync(own, 'utf8')
      .replaceAll('# SLUICE_', 'SLUICE_')
      .replaceAll(/^(\w+_FILE)=.*\/(\w+)$/gm, (_line, setting, file) => `${setting}=${join(etc, String(file))}`);
    writeFileSync(own, lines);
  }
  for (const file of ['doctor', 'orchestrator', 'monitor']) writeFileSync(join(etc, file), `secret-of-${file}\n`);
  const names = ['SLUICE_REDIS_BROKER_URL', 'SLUICE_ORCHESTRATOR_DATABASE_URL', 'SLUICE_DATABASE_URL'];
  const lines = ['set -eu', '. deploy/systemd/runbook.sh', ...names.map((name) => `echo "$${name}"`), 'set'].join('\n');
  const [redis, orchestrator, database, ...left] = execFileSync(shell, ['-c', lines], {
    env: { PATH: process.env['PATH'], SLUICE_ETC: etc },
    encoding: 'utf8',
  }).split('\n');
  expect([redis, orchestrator, database]).toEqual([
    'redis://sluice-doctor:secret-of-doctor@redis.example.com:6379',
    'postgresql://sluice_orchestrator:secret-of-orchestrator@postgres.example.com:5432/sluice',
    'postgresql://sluice_monitor:secret-of-monitor@postgres.example.com:5432/sluice',
  ]);
  expect(left.filter((line) => /^_(etc|file|rest|user|with_login)\b/.test(line))).toEqual([]);
});

it('says which file of settings is missing', () => {
  const { status, stderr } = spawnSync('sh', ['-c', '. deploy/systemd/runbook.sh'], {
    env: { PATH: process.env['PATH'], SLUICE_ETC: '/nowhere' },
    encoding: 'utf8',
  });
  expect(status).not.toBe(0);
  expect(stderr).toContain('/nowhere/common.env');
});
