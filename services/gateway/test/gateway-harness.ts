import 'reflect-metadata';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { Global, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GraphQLSchemaHost } from '@nestjs/graphql';
import type { GraphQLSchema } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { BusClient, FirehoseReader } from '#libs/bus';
import { CONFIG } from '#libs/config';
import { SystemClock } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';
import { CLOCK, Lifecycle } from '#libs/service';
import { AppLogger, HealthRegistry, MetricsRegistry, type CheckOutcome } from '#libs/telemetry';
import type { GatewayConfig } from '../src/gateway.config.js';
import { GatewayModule } from '../src/gateway.module.js';
import { partsOf } from './fake-services.js';

/** One gateway, whole, on a free port. */
export class TestGateway {
  private constructor(
    private readonly app: INestApplication,
    private readonly lifecycle: Lifecycle,
    private readonly close: () => Promise<void>,
    private readonly metrics: MetricsRegistry,
    readonly port: number,
  ) {}

  static async start(config: GatewayConfig, redisUrl: string): Promise<TestGateway> {
    const parts = partsOf('gateway', redisUrl);
    const client = new BusClient(config.service.instance, parts);
    client.start();
    const lifecycle = new Lifecycle(parts.logger);
    const metrics = new MetricsRegistry('gateway');
    const providers = [
      { provide: CONFIG, useValue: config },
      { provide: AppLogger, useValue: parts.logger },
      { provide: MetricsRegistry, useValue: metrics },
      { provide: HealthRegistry, useValue: new HealthRegistry() },
      { provide: CLOCK, useValue: new SystemClock() },
      { provide: BusClient, useValue: client },
      { provide: RedisConnections, useValue: parts.redis },
      { provide: FirehoseReader, useValue: new FirehoseReader(parts) },
      { provide: Lifecycle, useValue: lifecycle },
    ];
    @Global()
    @Module({ providers, exports: providers.map(({ provide }) => provide) })
    class RuntimeModule {}
    @Module({ imports: [RuntimeModule, GatewayModule] })
    class RootModule {}
    const options = { logger: false, bodyParser: false, abortOnError: false } as const;
    const app = await NestFactory.create<INestApplication<Server>>(RootModule, options);
    await app.listen(0, '127.0.0.1');
    const close = async (): Promise<void> => {
      await client.stop();
      await parts.redis.close();
    };
    return new TestGateway(app, lifecycle, close, metrics, (app.getHttpServer().address() as AddressInfo).port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/graphql`;
  }

  /** As it is executed, with all that is put around resolvers. */
  get schema(): GraphQLSchema {
    return this.app.get(GraphQLSchemaHost, { strict: false }).schema;
  }

  async ask(query: string, variables: object = {}, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    });
    return { status: response.status, headers: response.headers, ...((await response.json()) as Partial<Answer>) };
  }

  /** Pages of rows that were read for pushed events and answers. */
  async pagesRead(): Promise<number> {
    return this.metric('page_lookups_total');
  }

  /** A gauge or a counter of this gateway. */
  async metric(name: string): Promise<number> {
    const metric = await this.metrics.registry.getSingleMetric(`sluice_gateway_${name}`)?.get();
    return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
  }

  /** What the gateway says of a dependency when it is asked whether it is ready. */
  async check(name: string): Promise<CheckOutcome | undefined> {
    return (await this.app.get(HealthRegistry, { strict: false }).readiness()).checks[name];
  }

  /** Open connections of HTTP, WebSockets among them. */
  connections(): Promise<number> {
    // The adapter's server is one of node:http.
    const server = this.app.getHttpServer() as Server;
    return promisify((done: (error: Error | null, count: number) => void) => void server.getConnections(done))();
  }

  connect(authorization: string | undefined): Client {
    return createClient({
      url: this.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      lazy: true,
      retryAttempts: 0,
      connectionParams: authorization === undefined ? {} : { authorization },
    });
  }

  drain(): Promise<void> {
    return this.lifecycle.drain();
  }

  async stop(): Promise<void> {
    await this.drain();
    await this.app.close();
    await this.close();
  }
}

export interface Answer {
  status: number;
  headers: Headers;
  data?: Record<string, any> | null; // eslint-disable-line @typescript-eslint/no-explicit-any -- an answer of any query
  errors?: { message: string; path?: string[]; extensions: Record<string, unknown> }[];
}
