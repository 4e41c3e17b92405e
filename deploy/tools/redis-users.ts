import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as contracts from '#libs/contracts';
import { RedisKeys } from '#libs/redis';
import { commandsIn } from './redis-commands.ts';

// Makes deploy/redis/users-<role>.acl from what the code does with Redis: the commands from its sources, the keys from the
// registry of contracts and from who imports what. `npm run generate` writes them; a command that a source file begins to
// use is in them from then on, and nothing else is.

type Service = 'auth' | 'gateway' | 'metadata' | 'orchestrator' | 'results' | 'worker';
type Answering = Exclude<Service, 'gateway'>;
const services: readonly Service[] = ['auth', 'gateway', 'metadata', 'orchestrator', 'results', 'worker'];

/** Commands on keys; each is a selector of its own, so that no command of one use reaches the keys of another. */
interface Use {
  readonly keys: readonly string[];
  readonly commands: readonly string[];
}

const keys = new RedisKeys('sluice');
const inboxOf = (who: string): string => keys.instance(`${who}-*`);
const anyInbox = keys.instance('*');
const every = [`${keys.prefix}:*`, `${keys.bull}:*`];

const bus = (...names: string[]): string[] => names.map((name) => `libs/bus/src/${name}.ts`);
const bull = (...names: string[]): string[] => names.map((name) => `node_modules/bullmq/dist/esm/scripts/${name}.js`);

/** Without keys: what the clients say for themselves, what our code asks, and what a script asks of its server. */
const connection = [
  // ioredis: its ready check, the nodes of a Cluster, the number of a database.
  ...['info', 'cluster|info', 'cluster|slots', 'select', 'asking'],
  // BullMQ names its connections.
  'client|setname',
  ...['multi', 'exec', 'time', 'quit'],
  ...commandsIn([
    ...bus('blocking-reader'),
    ...['check-policy', 'redis-connections'].map((name) => `libs/redis/src/${name}.ts`),
  ]),
  'script|load',
];
/** Each command of a script is checked by itself, so that a script can do nothing that its caller could not. */
const scripts: Use = { keys: every, commands: ['eval', 'evalsha'] };

function sourceOf(service: Service): string {
  const own = ownSourceOf(service);
  // The one request that a library sends for whoever has it do so.
  return own.includes('AccessRecorder') ? own + readFileSync('libs/service/src/access-recorder.ts', 'utf8') : own;
}

const ownSourceOf = (service: Service): string =>
  readdirSync(`services/${service}/src`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('spec.ts'))
    .map((name) => readFileSync(join('services', service, 'src', name), 'utf8'))
    .join('\n');

/** The services whose contracts a source names; every service may ask auth for keys and memberships (libs/identity). */
function askedBy(service: Service, source: string): Answering[] {
  const groups = new Set([...source.matchAll(/\b(\w+Requests)\b/g)].map(([, name = '']) => name));
  const found = Object.entries(contracts)
    .filter(([name]) => groups.has(name))
    .flatMap(([, group]) => servicesIn(group));
  return [...new Set<Answering>(['auth', ...found])].toSorted();
}

function servicesIn(group: unknown): Answering[] {
  if (typeof group !== 'object' || group === null) return [];
  if ('service' in group && 'pattern' in group) return [group.service as Answering];
  return Object.values(group).flatMap(servicesIn);
}

function usesOf(service: Service): Use[] {
  const source = sourceOf(service);
  const uses = [ownInbox(service), ...askedBy(service, source).flatMap(asking)];
  // The one service that sends requests to an instance that it names.
  if (source.includes('instance: run.workerId')) uses.push(directing('worker'));
  if (service !== 'gateway') uses.push(answering(service), ...eventsOf(service));
  if (source.includes('FirehoseReader')) uses.push(hearing);
  if (/\bbus\.tell\(/.test(source)) uses.push(telling);
  if (/\bTokenBuckets\b/.test(source)) uses.push(holdingOff);
  if (/\bRevisionCopies\b/.test(source)) uses.push(/\.raise\(/.test(source) ? raising : readingRevisions);
  if (looksAtRedis(source)) uses.push({ keys: [], commands: examiningCommands }, measuring, ...examining());
  if (source.includes("from 'bullmq'")) uses.push(source.includes('WorkerHost') ? takingJobs : givingJobs);
  return uses;
}

const looksAtRedis = (source: string): boolean => /\bexamineRoles\b/.test(source);

const ownInbox = (who: string): Use => ({
  keys: [inboxOf(who)],
  commands: commandsIn(bus('instance-inbox', 'directed-requests', 'take-entries', 'stream-state')),
});
const asking = (service: Answering): Use[] => [
  { keys: [keys.requests(service)], commands: commandsIn(bus('request-sender', 'stream-writer')) },
];
const directing = (service: Answering): Use => ({
  keys: [inboxOf(service)],
  commands: commandsIn(bus('request-sender', 'stream-writer')),
});
const answering = (service: Answering): Use => ({
  keys: [keys.requests(service)],
  commands: commandsIn(bus('request-reader', 'take-entries', 'consumer-janitor', 'ensure-group')),
});
/** Replies go to whoever asked: they can be added there and not read. */
const replying: Use = { keys: [anyInbox], commands: commandsIn(bus('stream-writer')) };

function eventsOf(service: Answering): Use[] {
  return Object.entries(contracts.eventStreams).flatMap(([area, { version, publisher, groups }]) => {
    const stream = keys.events(area, version);
    const reads: Use = {
      keys: [stream, keys.deadLetters(stream), keys.whole(stream)],
      commands: commandsIn([
        ...bus('event-reader', 'event-handling', 'pending-events', 'consumer-janitor', 'ensure-group'),
        ...bus('stream-trimmer', 'group-state', 'stream-mark'),
        'libs/bus/src/lua/give-up-event.lua',
      ]),
    };
    const publishes: Use = {
      keys: [stream, keys.whole(stream)],
      commands: commandsIn(bus('outbox-relay', 'stream-watch', 'stream-mark', 'stream-state')),
    };
    return [...(groups.includes(service) ? [reads] : []), ...(publisher === service ? [publishes] : [])];
  });
}

const firehose = Array.from({ length: contracts.firehosePartitions }, (_, partition) => keys.firehose(partition));
const hearing: Use = { keys: firehose, commands: commandsIn(bus('firehose-reader', 'stream-state')) };
const telling: Use = { keys: firehose, commands: commandsIn(bus('stream-writer')) };
const holdingOff: Use = { keys: [keys.bucket('*')], commands: commandsIn(['libs/redis/src/token-buckets.ts']) };
const raising: Use = { keys: [keys.revisions('*')], commands: commandsIn(['libs/redis/src/lua/raise-revision.lua']) };
const readingRevisions: Use = { keys: [keys.revisions('*')], commands: ['hget'] };
/** A queue notes its own options, and its scripts; BullMQ looks for none that it does not have. */
const givingJobs: Use = { keys: [`${keys.bull}:*`], commands: ['hmset', ...commandsIn(bull('addStandardJob-9'))] };
const takingJobs: Use = {
  keys: [`${keys.bull}:*`],
  commands: [
    ...['bzpopmin', 'hmset'],
    ...commandsIn(
      bull('moveToActive-11', 'moveToFinished-14', 'extendLock-2', 'extendLocks-1', 'moveStalledJobsToWait-9'),
    ),
  ],
};

function selectorOf(use: Use): string {
  const commands = [...new Set(use.commands)].filter((name) => !connection.includes(name)).toSorted();
  return `(${[...commands.map((name) => `+${name}`), ...use.keys.map((key) => `~${key}`)].join(' ')})`;
}

function userOf(name: string, uses: readonly Use[], without: readonly string[] = connection): string {
  const own = [...new Set(without)].toSorted().map((command) => `+${command}`);
  return ['user', `${keys.prefix}-${name}`, 'off', 'resetchannels', '-@all', ...own, ...uses.map(selectorOf)].join(' ');
}

/** For looking: what there is and how large, and nothing of what is in it. */
const inspecting = [
  ...['ping', 'info', 'role', 'dbsize', 'lastsave', 'time', 'quit', 'select', 'acl|whoami', 'command', 'asking'],
  ...[
    'client|id',
    'client|info',
    'client|list',
    'client|setname',
    'latency|latest',
    'latency|history',
    'latency|histogram',
  ],
  ...['slowlog|len', 'memory|stats', 'memory|doctor', 'module|list'],
  ...['cluster|info', 'cluster|nodes', 'cluster|slots', 'cluster|shards', 'cluster|keyslot', 'cluster|countkeysinslot'],
];
const measuring: Use = {
  keys: ['*'],
  commands: [
    ...['scan', 'type', 'ttl', 'pttl', 'exists', 'memory|usage', 'object|encoding', 'object|idletime', 'object|freq'],
    ...['strlen', 'hlen', 'llen', 'scard', 'zcard', 'xlen', 'xinfo|groups', 'xinfo|consumers', 'xpending'],
  ],
};

/**
 * What the doctor reads beyond that: how old the oldest request and the next job are, and what was slow, which Redis shows with its
 * arguments. Where a service runs it (operations.health),
 * that service may look too; CONFIG stays refused, and the doctor does without.
 */
function examining(): Use[] {
  return [
    {
      keys: Object.keys(contracts.requestsByService).map((name) => keys.requests(name)),
      commands: ['xrange', 'xinfo|stream'],
    },
    { keys: [`${keys.bull}:*`], commands: ['lindex', 'hget', 'lrange'] },
  ];
}

const examiningCommands = [...inspecting, 'slowlog|get'];

/** The dead letters of every area, and requests to all who keep secrets: `sluice redrive` and `sluice rotate-keys`. */
function operating(): Use[] {
  const streams = Object.entries(contracts.eventStreams).flatMap(([area, { version }]) => {
    const stream = keys.events(area, version);
    return [stream, keys.deadLetters(stream)];
  });
  return [
    { keys: streams, commands: commandsIn(bus('dead-letters')) },
    ownInbox('rotate-keys'),
    ...servicesIn(contracts.secretRequests).flatMap(asking),
  ];
}

const others = (): string[] => [
  userOf('inspector', [measuring], inspecting),
  // It asks the services too.
  userOf(
    'doctor',
    [scripts, measuring, ...examining(), ownInbox('doctor'), ...servicesIn(contracts.healthRequests).flatMap(asking)],
    [...examiningCommands, ...connection],
  ),
  // As the documentation of Redis has them for replication and for Sentinel.
  `user ${keys.prefix}-replica off resetchannels -@all +psync +replconf +ping`,
  // redis-cli --rdb is a replica that asks for everything once.
  `user ${keys.prefix}-backup off resetchannels -@all +sync +replconf +ping`,
  `user ${keys.prefix}-sentinel off allchannels -@all +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill`,
  `user ${keys.prefix}-admin off ~* &* +@all`,
  // redis_exporter: figures and no key. CONFIG GET would show masterauth, by which all keys can be copied.
  `user ${keys.prefix}_monitor off resetkeys resetchannels -@all +info +ping +client|setname +slowlog|len +latency|latest +latency|histogram +cluster|info`,
  // Nobody can sign in as it. Its rights are for the start of Redis, which reads the append-only file as this user and, before the fixes of
  // https://github.com/redis/redis/pull/14545 and https://github.com/valkey-io/valkey/pull/3984, left out transactions that it had no right to.
  'user default off resetpass ~* &* +@all',
];

const keepingPages: Use = {
  keys: [keys.page('*', '*', '*')],
  commands: commandsIn(['services/gateway/src/results/redis-page-copies.ts']),
};

function cacheUsesOf(service: Service): Use[] {
  return /\bRedisPageCopies\b/.test(sourceOf(service)) ? [keepingPages] : [];
}

/** On the server of sessions nothing is kept yet: the services only see that it is there. */
const lookingUsers = (usesOf: (service: Service) => Use[]): string[] => [
  ...services.map((service) => {
    const looks = looksAtRedis(sourceOf(service)) ? [{ keys: [], commands: examiningCommands }, measuring] : [];
    return userOf(service, [...looks, ...usesOf(service)]);
  }),
  ...others(),
];
const sessionUsers = (): string[] => lookingUsers(() => []);
const cacheUsers = (): string[] => lookingUsers(cacheUsesOf);
const brokerUsers = (): string[] => [
  ...services.map((service) => {
    const answers = service === 'gateway' ? [] : [replying];
    return userOf(service, [scripts, ...answers, ...usesOf(service)]);
  }),
  userOf('operator', [scripts, ...operating()]),
  ...others(),
];

const usersOf = { broker: brokerUsers, session: sessionUsers, cache: cacheUsers };
const role = process.argv[2];
if (role !== 'broker' && role !== 'session' && role !== 'cache') {
  throw new Error('usage: redis-users.ts broker | session | cache');
}
process.stdout.write(`${usersOf[role]().join('\n')}\n`);
