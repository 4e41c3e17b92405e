// Sends the dead letters of an area of events once more to every service that reads them.
import { parseArgs } from 'node:util';
import { DeadLetters } from '#libs/bus';
import { defineConfig, loadConfig, redisSettings } from '#libs/config';
import { eventStreams, type EventArea } from '#libs/contracts';
import { RedisConnections } from '#libs/redis';
import { AppLogger } from '#libs/telemetry';

const areas = Object.keys(eventStreams);
const help = `npm run redrive -- --area <${areas.join(' | ')}> [options]

Sends events that were given up after too many failures once more. Services know by its id what they have handled already.

  --limit <n>  at most this many, oldest first (default 100)
  --count      only say how many there are
  --json       print JSON
  --help       this text

Reads SLUICE_REDIS_BROKER_URL and SLUICE_REDIS_PREFIX as the services do.
Exit codes: 0 done, 1 failed, 2 wrong options.`;

function readOptions(): { area: EventArea; limit: number; count: boolean; json: boolean } {
  const { values } = parseArgs({
    options: {
      area: { type: 'string' },
      limit: { type: 'string', default: '100' },
      count: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  const limit = Number(values.limit);
  if (values.area === undefined || !areas.includes(values.area))
    throw new Error(`--area is one of: ${areas.join(', ')}`);
  if (!Number.isInteger(limit) || limit < 1) throw new Error('--limit is a whole number from 1');
  // Just compared with the registry's own keys.
  return { area: values.area as EventArea, limit, count: values.count, json: values.json };
}

async function run({ area, limit, count, json }: ReturnType<typeof readOptions>): Promise<void> {
  const config = loadConfig(defineConfig({ redis: redisSettings }));
  const logger = AppLogger.create({ service: 'redrive', instance: 'redrive', level: 'warn' });
  const redis = new RedisConnections(config.redis, logger);
  try {
    const letters = new DeadLetters(redis, redis.keys.events(area, eventStreams[area].version));
    const redriven = count ? 0 : await letters.redrive(limit);
    const left = await letters.count();
    console.log(json ? JSON.stringify({ area, redriven, left }) : `${area}: ${redriven} sent again, ${left} left`);
  } finally {
    await redis.close();
  }
}

try {
  const options = readOptions();
  await run(options).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
  process.exitCode = 2;
}
