import { Command } from 'commander';
import { BusClient, BusMetrics, serviceContext } from '#libs/bus';
import { defineConfig, loadConfig, redisSettings } from '#libs/config';
import { dataKeyRequests, secretRequests, type RequestContract } from '#libs/contracts';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { reachBroker } from '../reach-broker.ts';
import { workThrough, type Answer, type Tally } from '../work-through.ts';

interface Options {
  readonly newDataKeys: boolean;
  readonly json: boolean;
}

/** See docs/keys.md. */
export const rotateKeys = new Command('rotate-keys')
  .description(
    'Wraps the data keys of all workspaces by the first of SLUICE_MASTER_KEYS, then seals by them what the services\n' +
      'keep. The services do it, each with its own settings, while they go on working. It may be stopped and run again\n' +
      'at any time.',
  )
  .option('--new-data-keys', 'give every workspace a new data key first; what HASH masks show changes by that', false)
  .option('--json', 'print JSON', false)
  .addHelpText(
    'after',
    `
Reads SLUICE_REDIS_BROKER_URL and SLUICE_REDIS_PREFIX as the services do.
Exit codes: 0 done, 1 failed, 2 wrong options, 3 done but for what could not be opened, which stays as it is.`,
  )
  .action(run);

async function rotate(client: BusClient, hasNewDataKeys: boolean): Promise<Record<string, Tally>> {
  const context = serviceContext('operator', '');
  const ask = <Input>(contract: RequestContract<Input, Answer>, input: Input): Promise<Answer> =>
    client.request(contract, input, { context, ttlMs: 60_000 });
  // Of now: who runs it again after a failure goes on with those that have theirs yet to get.
  const madeBeforeMs = hasNewDataKeys ? Date.now() : 0;
  const tallies: Record<string, Tally> = {
    'data keys': await workThrough('data keys', (after) => ask(dataKeyRequests.renewDataKeys, { after, madeBeforeMs })),
  };
  for (const [name, { resealSecrets }] of Object.entries(secretRequests)) {
    tallies[name] = await workThrough(name, (after) => ask(resealSecrets, { after }));
  }
  return tallies;
}

async function run({ newDataKeys, json }: Options): Promise<void> {
  const config = loadConfig(defineConfig({ redis: redisSettings }));
  const logger = AppLogger.create({ service: 'rotate-keys', instance: 'rotate-keys', level: 'warn' });
  // What keeps us from Redis is said once, as what the command ends with.
  const quiet = AppLogger.create({ service: 'rotate-keys', instance: 'rotate-keys', level: 'silent' });
  const redis = new RedisConnections(config.redis, quiet);
  const metrics = new BusMetrics(new MetricsRegistry('rotate_keys'));
  const client = new BusClient(`rotate-keys-${process.pid}`, { redis, logger, metrics });
  try {
    await reachBroker(redis);
    client.start();
    const tallies = await rotate(client, newDataKeys);
    const lines = Object.entries(tallies).map(
      ([name, { total, resealed, unreadable }]) =>
        `${name}: ${resealed} of ${total} sealed anew, ${unreadable} unreadable`,
    );
    console.log(json ? JSON.stringify(tallies) : lines.join('\n'));
    if (Object.values(tallies).some(({ unreadable }) => unreadable > 0)) process.exitCode = 3;
  } finally {
    await client.stop();
    await redis.close();
  }
}
