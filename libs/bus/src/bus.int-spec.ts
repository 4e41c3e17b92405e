import 'reflect-metadata';
import { Controller, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { Module, type INestMicroservice } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { of, type Observable } from 'rxjs';
import { workerRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';
import { startRedis, until, type RedisServer } from '#libs/testing';
import {
  AppErrorFilter,
  BusClient,
  BusContext,
  BusMetrics,
  BusServer,
  HandlesRequest,
  serviceContext,
} from './index.js';

type Worker = typeof workerRequests;

const handled: string[] = [];

class WorkspaceGuard implements CanActivate {
  canActivate(execution: ExecutionContext): boolean {
    const context = execution.switchToRpc().getContext<BusContext>();
    if (context instanceof BusContext && context.workspaceId === 'wsp_1') return true;
    throw new AppError('auth.forbidden', 'No.');
  }
}

@Controller()
@UseGuards(WorkspaceGuard)
class WorkerController {
  @HandlesRequest(workerRequests.testSource)
  testSource(@Payload() _input: RequestOf<Worker['testSource']>): Observable<ResponseOf<Worker['testSource']>> {
    return of({ latencyMs: 1.5, serverVersion: '18' });
  }

  @HandlesRequest(workerRequests.readSchema)
  readSchema(): ResponseOf<Worker['readSchema']> {
    throw new AppError('source.unavailable', 'The source does not answer.', {
      path: ['options', 'host'],
      retryable: true,
    });
  }

  @HandlesRequest(workerRequests.cancelAtSource)
  async cancelAtSource(): Promise<ResponseOf<Worker['cancelAtSource']>> {
    throw new Error('password=hunter2');
  }

  @HandlesRequest(workerRequests.estimateStatement)
  estimateStatement(): ResponseOf<Worker['estimateStatement']> {
    return {};
  }

  @HandlesRequest(workerRequests.setDraining)
  setDraining(): ResponseOf<Worker['setDraining']> {
    return { runs: 0 };
  }

  @HandlesRequest(workerRequests.tryStatements)
  tryStatements(): ResponseOf<Worker['tryStatements']> {
    return {};
  }

  @HandlesRequest(workerRequests.stopRun)
  async stopRun(
    @Payload() input: RequestOf<Worker['stopRun']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Worker['stopRun']>> {
    handled.push(`${input.runId}/${context.requestId}/${context.workspaceId}`);
    return { stopping: true };
  }
}

@Module({ controllers: [WorkerController] })
class WorkerModule {}

const context = serviceContext('orchestrator', 'wsp_1', 'req_1');

describe('the bus', () => {
  let redis: RedisServer;
  const closing: (() => Promise<unknown>)[] = [];

  function parts(service: string) {
    const logger = AppLogger.create({ service, instance: service, level: 'silent' });
    const connections = new RedisConnections(
      { prefix: 'test', broker: { url: redis.url }, session: { url: redis.url }, cache: {} },
      logger,
    );
    closing.push(() => connections.close());
    return { redis: connections, logger, metrics: new BusMetrics(new MetricsRegistry(service)) };
  }

  async function serve(instance: string): Promise<INestMicroservice> {
    const own = parts('worker');
    const client = new BusClient(instance, own);
    client.start();
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(WorkerModule, {
      strategy: new BusServer({ service: 'worker' }, client, own),
      logger: false,
    });
    app.useGlobalFilters(new AppErrorFilter());
    await app.listen();
    closing.unshift(async () => {
      await app.close();
      await client.stop();
    });
    return app;
  }

  function connect(instance: string): BusClient {
    const client = new BusClient(instance, parts('orchestrator'));
    client.start();
    closing.unshift(() => client.stop());
    return client;
  }

  beforeAll(async () => {
    redis = await startRedis();
  });

  afterAll(async () => {
    for (const close of closing) await close();
    await redis.stop();
  });

  it('answers a request, and carries errors across as they were thrown', async () => {
    await serve('worker-1');
    const client = connect('orchestrator-1');
    expect(await client.request(workerRequests.testSource, {}, { context })).toEqual({
      latencyMs: 1.5,
      serverVersion: '18',
    });
    const thrown = await client.request(workerRequests.readSchema, {}, { context }).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(AppError);
    expect(thrown).toMatchObject({ code: 'source.unavailable', path: ['options', 'host'], retryable: true });
    const masked = await client
      .request(workerRequests.cancelAtSource, {}, { context })
      .catch((error: unknown) => error);
    expect(masked).toMatchObject({ code: 'internal' });
    expect((masked as AppError).publicMessage).not.toContain('hunter2');
  });

  it('asks guards with its context, and carries what they throw', async () => {
    const client = connect('orchestrator-guarded');
    const other = serviceContext('orchestrator', 'wsp_2');
    await expect(client.request(workerRequests.testSource, {}, { context: other })).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  });

  it('does not start where two handlers answer one request', async () => {
    @Controller()
    class SecondController {
      @HandlesRequest(workerRequests.testSource)
      again(): ResponseOf<Worker['testSource']> {
        return { latencyMs: 1, serverVersion: '18' };
      }
    }
    @Module({ controllers: [WorkerController, SecondController] })
    class TwiceModule {}
    const own = parts('worker');
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(TwiceModule, {
      strategy: new BusServer({ service: 'worker' }, new BusClient('worker-twice', own), own),
      logger: false,
    });
    await expect(app.listen()).rejects.toThrowError(`${workerRequests.testSource.pattern} is handled twice`);
  });

  it('sends a directed request to that instance alone', async () => {
    await serve('worker-2');
    const client = connect('orchestrator-2');
    await client.request(
      workerRequests.stopRun,
      { runId: 'run_1', fence: 1, timedOut: false },
      { context, instance: 'worker-2' },
    );
    expect(handled).toEqual(['run_1/req_1/wsp_1']);
    const nobody = client.request(
      workerRequests.stopRun,
      { runId: 'run_2', fence: 1, timedOut: false },
      { context, instance: 'nobody', ttlMs: 200 },
    );
    await expect(nobody).rejects.toMatchObject({ code: 'bus.timeout' });
    expect(handled).toHaveLength(1);
  });

  it('goes on after FLUSHALL and after a restart of Redis', async () => {
    const client = connect('orchestrator-3');
    const ask = () => client.request(workerRequests.testSource, {}, { context, ttlMs: 1_000, idempotencyKey: 'again' });
    await ask();
    await new RedisConnections({ prefix: 'x', broker: { url: redis.url }, session: {}, cache: {} }, parts('x').logger)
      .client('broker')
      .flushall();
    await until(ask, { what: 'an answer after FLUSHALL' });
    await redis.restart();
    await until(ask, { what: 'an answer after a restart' });
  });

  it('carries 5,000 requests at 64 in flight, each answered once', async () => {
    const client = connect('orchestrator-4');
    let left = 5_000;
    let answers = 0;
    await Promise.all(
      Array.from({ length: 64 }, async () => {
        while (left-- > 0) {
          await client.request(workerRequests.testSource, {}, { context });
          answers += 1;
        }
      }),
    );
    expect(answers).toBe(5_000);
  });
});
