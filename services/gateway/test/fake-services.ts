import { onTestFinished } from 'vitest';
import { BusClient, BusMetrics, BusServer, type BusContext } from '#libs/bus';
import {
  accessRequests,
  events,
  eventStreams,
  requestsByService,
  type RequestContract,
  type ServiceName,
} from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import { AppLogger, MetricsRegistry } from '#libs/telemetry';

/** The other services, with the answers that a test gives them, on the real bus. */
export class FakeServices {
  readonly asked: string[] = [];
  private readonly answers = new Map<string, (input: unknown, context: BusContext) => unknown>();
  private readonly closing: (() => Promise<unknown>)[] = [];

  constructor(private readonly redisUrl: string) {
    this.on(accessRequests.listRestrictions, () => ({ revision: 0, accessRevision: 0, restrictions: [] }));
  }

  on<Request, Response>(
    contract: RequestContract<Request, Response>,
    answer: (input: Request, context: BusContext) => Response | Promise<Response>,
  ): void {
    this.answers.set(contract.pattern, answer as (input: unknown, context: BusContext) => unknown);
  }

  /** Another answer until the test is over; call what it gives to take it back earlier. */
  answersWith<Request, Response>(
    contract: RequestContract<Request, Response>,
    answer: (input: Request, context: BusContext) => Response | Promise<Response>,
  ): () => void {
    const before = this.answers.get(contract.pattern);
    this.on(contract, answer);
    const takeBack = (): void => {
      if (before) this.answers.set(contract.pattern, before);
    };
    onTestFinished(takeBack);
    return takeBack;
  }

  start(): void {
    for (const service of ['auth', 'metadata', 'orchestrator', 'results'] as const) this.startOne(service);
  }

  private startOne(service: ServiceName): void {
    const parts = partsOf(service, this.redisUrl);
    const client = new BusClient(`${service}-1`, parts);
    client.start();
    const server = new BusServer({ service }, client, parts);
    for (const { pattern } of requestsByService[service]) {
      server.addHandler(pattern, async (input: unknown, context: BusContext) => this.answer(pattern, input, context));
    }
    // The groups of events that the service would read.
    const read = events.filter(({ area }) => eventStreams[area].groups.includes(service)).map(({ type }) => type);
    for (const type of new Set(read)) server.addHandler(type, async () => undefined, true);
    server.listen((error) => {
      if (error) throw error as Error;
    });
    this.closing.push(async () => {
      await server.close();
      await client.stop();
      await parts.redis.close();
    });
  }

  private async answer(pattern: string, input: unknown, context: BusContext): Promise<unknown> {
    this.asked.push(pattern.split('/')[1] ?? '');
    const answer = this.answers.get(pattern);
    if (!answer) throw new AppError('internal', 'not in this test', { internalMessage: pattern });
    return answer(input, context);
  }

  async stop(): Promise<void> {
    await Promise.all(this.closing.map((close) => close()));
  }
}

/** What a service needs to be on the bus. */
export function partsOf(service: string, url: string) {
  const logger = AppLogger.create({ service, instance: service, level: 'silent' });
  const redis = new RedisConnections({ prefix: 'test', broker: { url }, session: { url }, cache: {} }, logger);
  return { redis, logger, metrics: new BusMetrics(new MetricsRegistry(service)) };
}
