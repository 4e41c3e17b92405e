import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MessageContext } from '#libs/bus';
import { metadataRequests, type SourceConnection } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { RedisConnections, RevisionCopies } from '#libs/redis';
import { AppLogger } from '#libs/telemetry';
import { startRedis, type RedisServer } from '#libs/testing';
import { FakeBus } from '../../test/fake-bus.js';
import { newSource } from '../../test/orchestrator-harness.js';
import { MetadataClient } from './metadata.client.js';
import { RunnableMemory } from './runnable.memory.js';

let server: RedisServer;
let redis: RedisConnections;
let copies: RevisionCopies;
let bus: FakeBus;
let memory: RunnableMemory;
let source: SourceConnection;
let revision: number;

beforeAll(async () => {
  server = await startRedis();
  const role = { url: server.url };
  const silent = { info: () => undefined, warn: () => undefined };
  redis = new RedisConnections({ prefix: 'test', broker: role, session: role, cache: {} }, silent);
  await redis.ready('broker', 5_000);
  copies = new RevisionCopies(redis);
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

beforeEach(() => {
  bus = new FakeBus();
  const logger = AppLogger.create({ service: 'orchestrator', instance: 'o1', level: 'silent' });
  memory = new RunnableMemory(new MetadataClient(bus.asClient()), copies, logger);
  source = newSource(newId('workspace'));
  revision = 1;
  bus.answer(metadataRequests.resolveRunnable, () => ({ source, revision }));
});

async function resolve(): Promise<number | undefined> {
  const context: MessageContext = { workspaceId: source.workspaceId, requestId: 'r', actor: { case: undefined } };
  const subject = { case: 'dataSourceId', value: source.id } as const;
  return (await memory.resolve(subject, context, new AbortController().signal)).source?.version;
}

/** As metadata does it: the change first, then its revision, then the copy. */
async function change(isCopied = true): Promise<void> {
  source = { ...source, version: source.version + 1 };
  revision += 1;
  if (isCopied) await copies.raise(source.workspaceId, 'metadata', revision);
}

const asked = (): number => bus.countOf(metadataRequests.resolveRunnable);

describe('the memory of what may be run', () => {
  it('asks metadata once while nothing changes', async () => {
    for (let times = 0; times < 5; times += 1) expect(await resolve()).toBe(1);
    expect(asked()).toBe(1);
  });

  it('sees a change with the next question', async () => {
    await resolve();
    await change();
    expect(await resolve()).toBe(2);
    expect(await resolve()).toBe(2);
    expect(asked()).toBe(2);
  });

  it('does not take an answer from before a change for one from behind it', async () => {
    bus.answer(metadataRequests.resolveRunnable, async () => {
      const before = { source, revision };
      await change();
      return before;
    });
    expect(await resolve()).toBe(1);
    bus.answer(metadataRequests.resolveRunnable, () => ({ source, revision }));
    expect(await resolve()).toBe(2);
  });

  it('trusts nothing that it keeps once the copies are lost, and restores them', async () => {
    await resolve();
    await redis.client('broker').flushall();
    await change(false);
    expect(await resolve()).toBe(2);
    expect(await copies.read(source.workspaceId, 'metadata')).toBe(2);
  });

  it('does not take a revision that has fallen back for its own', async () => {
    await change();
    await resolve();
    await redis.client('broker').hset(redis.keys.revisions(source.workspaceId), 'metadata', 1);
    await change(false);
    expect(await resolve()).toBe(3);
  });

  it('keeps workspaces and subjects apart', async () => {
    await resolve();
    source = newSource(source.workspaceId, { version: 9 });
    expect(await resolve()).toBe(9);
    source = newSource(newId('workspace'), { version: 8 });
    expect(await resolve()).toBe(8);
  });
});
