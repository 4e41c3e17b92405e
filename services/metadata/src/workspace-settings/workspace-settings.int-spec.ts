import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppError, newId } from '#libs/kernel';
import type { RedisConnections } from '#libs/redis';
import { startPostgres, startRedis, type PostgresServer, type RedisServer } from '#libs/testing';
import { connectRedis, FakeBus, metadataRoot } from '../../test/metadata-harness.js';
import type { Caller } from '../caller.js';
import { WorkspaceRevisions } from '../revision/workspace-revisions.repository.js';
import { WorkspaceSettingsService } from './workspace-settings.service.js';

let postgres: PostgresServer;
let server: RedisServer;
let redis: RedisConnections;
let app: INestApplicationContext;
let service: WorkspaceSettingsService;
let caller: Caller;

beforeAll(async () => {
  [postgres, server] = await Promise.all([startPostgres(), startRedis()]);
  redis = connectRedis(server.url);
  const root = metadataRoot(await postgres.createDatabase(), new FakeBus(), redis);
  app = await NestFactory.createApplicationContext(root, { logger: false });
  service = app.get(WorkspaceSettingsService);
});
afterAll(async () => {
  await app.close();
  await redis.close();
  await Promise.all([postgres.stop(), server.stop()]);
});
beforeEach(() => {
  caller = {
    workspaceId: newId('workspace'),
    userId: newId('user'),
    requestId: newId('request'),
    permissions: new Set(['workspace.manage']),
    groups: [],
    remainingMs: () => 10_000,
  };
});

type Input = Parameters<WorkspaceSettingsService['update']>[0];
const update = (input: Partial<Input>) => service.update({ version: 1, cleared: [], ...input }, caller);
const get = () => service.get(caller.workspaceId);

async function faultsOf(work: Promise<unknown>): Promise<[string, string][]> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AppError)) throw new Error('it was not refused', { cause: error });
  return error.issues.map(({ code, path }) => [code, path.join('.')]);
}

describe('the settings of a workspace', () => {
  it('are the installation’s until it sets its own, and what is not named stays', async () => {
    expect(await get()).toEqual({ durableHits: false, userQuotas: {}, workspaceQuotas: {}, version: 1 });
    await update({ timeZone: 'Asia/Tokyo', cacheTtlSeconds: 0, userQuotas: { executions: 5 } });
    const own = {
      historyDays: 7,
      resultDays: 3,
      resultBytesMax: 2 ** 40,
      sampleRows: 50_000,
      durableHits: true,
      workspaceQuotas: { rows: 0 },
    };
    const settings = await update({ version: 2, ...own });
    expect(settings).toEqual({
      ...{ timeZone: 'Asia/Tokyo', cacheTtlSeconds: 0, version: 3 },
      ...{ userQuotas: { executions: 5 }, ...own },
    });
    expect(await get()).toEqual(settings);
    expect((await service.get(newId('workspace'))).version).toBe(1);
  });

  it('are the installation’s again once they are cleared', async () => {
    const results = { resultDays: 3, resultBytesMax: 0, sampleRows: 1, durableHits: true };
    await update({ timeZone: 'UTC', historyDays: 7, cacheTtlSeconds: 9, userQuotas: { executions: 5 }, ...results });
    const cleared = [
      'timeZone',
      'historyDays',
      'cacheTtlSeconds',
      'userQuotas',
      'resultDays',
      'resultBytesMax',
      'sampleRows',
      'durableHits',
    ];
    expect(await update({ version: 2, cleared })).toEqual({
      ...{ durableHits: false, userQuotas: {}, workspaceQuotas: {}, version: 3 },
    });
  });

  it('are changed by one of many who have read the same', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => update({ historyDays: index + 1 })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await get()).version).toBe(2);
    await expect(update({ historyDays: 1 })).rejects.toMatchObject({ code: 'entity.conflict', path: ['version'] });
  });

  it('raise the revision of the workspace, by which the next question is planned anew', async () => {
    const revisions = app.get(WorkspaceRevisions);
    const before = await revisions.now(caller.workspaceId);
    await update({ historyDays: 1 });
    expect(await revisions.now(caller.workspaceId)).toBe(before + 1);
  });

  it('tell all that is wrong at once, each at its place, and stay', async () => {
    const wrong = {
      ...{ timeZone: 'Mars/Phobos', cacheTtlSeconds: -1, historyDays: 0, cleared: ['version'] },
      ...{ resultDays: 0, resultBytesMax: -1, sampleRows: 0 },
      ...{ userQuotas: { executions: -1 }, workspaceQuotas: { bytes: -1 } },
    };
    expect((await faultsOf(update(wrong))).toSorted()).toEqual(
      [
        ['input.invalid', 'cacheTtlSeconds'],
        ['input.invalid', 'historyDays'],
        ['input.invalid', 'resultBytesMax'],
        ['input.invalid', 'resultDays'],
        ['input.invalid', 'sampleRows'],
        ['input.invalid', 'timeZone'],
        ['input.invalid', 'userQuotas.executions'],
        ['input.invalid', 'version'],
        ['input.invalid', 'workspaceQuotas.bytes'],
      ].toSorted(),
    );
    expect((await get()).version).toBe(1);
  });

  it.each(['+02:00', 'Berlin', '', '\0'])('refuse %j for a time zone', async (timeZone) => {
    expect(await faultsOf(update({ timeZone }))).toEqual([['input.invalid', 'timeZone']]);
  });

  it('tell the orchestrator how long each keeps its history, where it says so', async () => {
    await update({ timeZone: 'UTC' });
    expect((await service.retentions()).map(({ workspaceId }) => workspaceId)).not.toContain(caller.workspaceId);
    await update({ version: 2, historyDays: 3 });
    expect(await service.retentions()).toContainEqual({ workspaceId: caller.workspaceId, days: 3 });
  });

  it('tell the results service which results each keeps, where it says so', async () => {
    const { workspaceId } = caller;
    await update({ timeZone: 'UTC' });
    expect((await service.resultLimits()).map((limits) => limits.workspaceId)).not.toContain(workspaceId);
    await update({ version: 2, resultDays: 3 });
    expect(await service.resultLimits()).toContainEqual({ workspaceId, days: 3, bytesMax: undefined });
    await update({ version: 3, resultBytesMax: 5, cleared: ['resultDays'] });
    expect(await service.resultLimits()).toContainEqual({ workspaceId, days: undefined, bytesMax: 5 });
  });
});
