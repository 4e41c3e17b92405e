import { Command, Option } from 'commander';
import { DeadLetters } from '#libs/bus';
import { defineConfig, loadConfig, redisSettings } from '#libs/config';
import { eventStreams, type EventArea } from '#libs/contracts';
import { RedisConnections } from '#libs/redis';
import { AppLogger } from '#libs/telemetry';
import { reachBroker } from '../reach-broker.ts';
import { wholeNumber } from '../whole-number.ts';

interface Options {
  readonly area: EventArea;
  readonly limit: number;
  readonly count: boolean;
  readonly json: boolean;
}

export const redrive = new Command('redrive')
  .description(
    'Sends events that were given up after too many failures once more, to every service that reads them.\n' +
      'Services know by its id what they have handled already.',
  )
  .addOption(new Option('--area <area>', 'area of events').choices(Object.keys(eventStreams)).makeOptionMandatory())
  .option('--limit <n>', 'at most this many, oldest first', wholeNumber, 100)
  .option('--count', 'only say how many there are', false)
  .option('--json', 'print JSON', false)
  .addHelpText(
    'after',
    `
Reads SLUICE_REDIS_BROKER_URL and SLUICE_REDIS_PREFIX as the services do.
Exit codes: 0 done, 1 failed, 2 wrong options.`,
  )
  .action(run);

async function run({ area, limit, count, json }: Options): Promise<void> {
  const config = loadConfig(defineConfig({ redis: redisSettings }));
  // What keeps us from Redis is said once, as what the command ends with.
  const logger = AppLogger.create({ service: 'redrive', instance: 'redrive', level: 'silent' });
  const redis = new RedisConnections(config.redis, logger);
  try {
    await reachBroker(redis);
    const letters = new DeadLetters(redis, redis.keys.events(area, eventStreams[area].version));
    const redriven = count ? 0 : await letters.redrive(limit);
    const left = await letters.count();
    console.log(json ? JSON.stringify({ area, redriven, left }) : `${area}: ${redriven} sent again, ${left} left`);
  } finally {
    await redis.close();
  }
}
