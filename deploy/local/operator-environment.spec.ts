import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { operatorEnvironment } from './operator-environment.ts';

test('a shell that reads the environment of operators has each value to the letter', () => {
  const odd = `it's $HOME "\`id\`" \\ %2F?a=b&c`;
  const text = operatorEnvironment({
    redis: { SLUICE_REDIS_URL: odd },
    postgresPort: 5_432,
    secrets: { databasePassword: 'p/w', masterKeys: `local:${odd}` },
    operationsPorts: new Map([['worker', 4_104]]),
  });
  const names = 'SLUICE_REDIS_URL SLUICE_ORCHESTRATOR_DATABASE_URL SLUICE_WORKER_METRICS_PORT SLUICE_MASTER_KEYS';
  expect(execFileSync('/bin/sh', ['-c', `${text}printenv ${names}`], { encoding: 'utf8' }).split('\n')).toEqual([
    odd,
    'postgresql://sluice_orchestrator:p%2Fw@127.0.0.1:5432/sluice',
    '4104',
    `local:${odd}`,
    '',
  ]);
});
