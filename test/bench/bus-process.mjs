// Answers requests in a process of its own, for the bench of the bus: `ours` through BusServer and Nest, `raw` by two
// streams and ioredis alone. Arguments: ours | raw, the address of Redis.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import { AppErrorFilter, BusClient, BusMetrics, BusServer, HandlesRequest } from '../../dist/libs/bus/src/index.js';
import { workerRequests } from '../../dist/libs/contracts/src/index.js';
import { RedisConnections } from '../../dist/libs/redis/src/index.js';
import { AppLogger, MetricsRegistry, startTracing } from '../../dist/libs/telemetry/src/index.js';

const [kind, url] = process.argv.slice(2);
/** As large as the envelope of ours with a small reply. */
const replyBytes = 60;

async function answerThroughTheBus() {
  class WorkerController {
    async stopRun() {
      return { stopping: true };
    }
  }
  // Plain JavaScript has no decorators; what they do can be called. A service answers all that its registry names.
  for (const name of Object.keys(workerRequests)) {
    WorkerController.prototype[name] ??= async () => ({});
    const descriptor = Object.getOwnPropertyDescriptor(WorkerController.prototype, name);
    HandlesRequest(workerRequests[name])(WorkerController.prototype, name, descriptor);
  }
  Controller()(WorkerController);
  class WorkerModule {}
  Module({ controllers: [WorkerController] })(WorkerModule);

  await startTracing({ service: 'worker', instance: 'worker-1', otlpUrl: undefined, sampleRatio: 1 });
  const logger = AppLogger.create({ service: 'worker', instance: 'worker-1', level: 'warn' });
  const redis = new RedisConnections({ prefix: 'bench', broker: { url }, session: { url }, cache: {} }, logger);
  const parts = { redis, logger, metrics: new BusMetrics(new MetricsRegistry('worker')) };
  const client = new BusClient('worker-1', parts);
  client.start();
  const strategy = new BusServer({ service: 'worker' }, client, parts);
  const app = await NestFactory.createMicroservice(WorkerModule, { strategy, logger: false });
  app.useGlobalFilters(new AppErrorFilter());
  await app.listen();
}

async function answerRaw() {
  const reader = new Redis(url);
  const writer = new Redis(url, { enableAutoPipelining: true });
  // The stream is new; from its end, what is sent before the first read would never be heard of.
  let position = '0-0';
  const loop = async () => {
    for (;;) {
      const streams = await reader.xreadBuffer('COUNT', 128, 'BLOCK', 0, 'STREAMS', 'raw:request', position);
      for (const [, entries] of streams ?? []) {
        for (const [id, fields] of entries) {
          position = id.toString();
          void writer.xadd('raw:reply', 'MAXLEN', '~', 10_000, '*', 'e', fields[1].subarray(0, replyBytes));
        }
      }
    }
  };
  void loop();
}

await (kind === 'ours' ? answerThroughTheBus() : answerRaw());
process.stdout.write('ready\n');
// Ends with whoever started it.
process.stdin.resume().on('end', () => process.exit(0));
