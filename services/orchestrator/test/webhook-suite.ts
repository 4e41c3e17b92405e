import { randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import {
  authRequests,
  type RequestOf,
  type SourceConnection,
  type WebhookDelivery,
  type webhookRequests,
} from '#libs/contracts';
import { MasterKeys, newDataKey } from '#libs/encryption';
import type { Principal } from '#libs/identity';
import { startPostgres, until, type PostgresServer } from '#libs/testing';
import { openDatabase } from './data-source.js';
import {
  answerAround,
  newPrincipal,
  newSource,
  startOrchestrator,
  submitSql,
  TestWorker,
  type Orchestrator,
} from './orchestrator-harness.js';
import { clear } from './orchestrator-suite.js';
import { WebhookReceiver } from './webhook-receiver.js';

type Filter = RequestOf<typeof webhookRequests.createWebhook>['filter'];
type Webhooks = ReturnType<Orchestrator['webhooks']>;

const quick = { allowedNetworks: ['127.0.0.0/8'], retryInitialMs: 1, timeoutMs: 500 };

/** Webhooks of one workspace and a receiver for them, over one database for all tests of a file. */
export class WebhookSuite {
  readonly masks = { masterKeys: `k1:${randomBytes(32).toString('base64')}` };
  readonly masterKeys = MasterKeys.parse(this.masks.masterKeys);
  declare receiver: WebhookReceiver;
  declare orchestrator: Orchestrator;
  declare webhooks: Webhooks;
  declare principal: Principal;
  declare source: SourceConnection;
  declare worker: TestWorker;
  private numbers = 0;

  private constructor(
    private readonly server: PostgresServer,
    readonly dataSource: DataSource,
  ) {}

  static async open(): Promise<WebhookSuite> {
    const server = await startPostgres();
    return new WebhookSuite(server, await openDatabase(await server.createDatabase()));
  }

  async close(): Promise<void> {
    await this.dataSource.destroy();
    await this.server.stop();
  }

  /** Before each test. */
  async begin(): Promise<void> {
    await clear(this.dataSource);
    this.receiver = await WebhookReceiver.start();
    await this.start();
  }

  /** After each test. */
  end(): Promise<void> {
    return this.receiver.stop();
  }

  /** Anew, with a workspace that has nothing yet. */
  async start(settings: Record<string, unknown> = {}): Promise<void> {
    this.orchestrator = this.newOrchestrator(settings);
    this.webhooks = this.orchestrator.webhooks();
    this.principal = newPrincipal();
    this.source = newSource(this.principal.workspaceId);
    answerAround(this.orchestrator.bus, this.source);
    this.orchestrator.bus.answer(authRequests.getDataKey, ({ workspaceId }) =>
      newDataKey(this.masterKeys, workspaceId),
    );
    this.worker = new TestWorker(this.orchestrator);
    await this.worker.announce(100);
  }

  newOrchestrator(settings: Record<string, unknown> = {}): Orchestrator {
    return startOrchestrator(this.dataSource, { masks: this.masks, webhooks: { ...quick, ...settings } });
  }

  async make(filter: Partial<NonNullable<Filter>> = {}, url = this.receiver.url, who = this.principal) {
    const whole = { states: [], savedQueryIds: [], dataSourceIds: [], ...filter };
    const input = { name: 'w', url, enabled: true, filter: whole };
    const { webhook, secret } = await this.webhooks.management.create(input, who);
    if (!webhook) throw new Error('no webhook was made');
    return { webhook, secret };
  }

  nextNumber(): number {
    return (this.numbers += 1);
  }

  /** An execution that runs. */
  async running(who = this.principal) {
    const execution = await submitSql(this.orchestrator, who, this.source, `select ${this.nextNumber()}`);
    await until(() => this.worker.claim({ runId: execution.runId, fence: 1 }));
    return execution;
  }

  /** @returns the id of an execution that has succeeded */
  async finished(): Promise<string> {
    const { id, runId } = await this.running();
    await this.worker.succeed({ runId, fence: 1 });
    return id;
  }

  /** Looks until there is nothing more to do now. */
  async look(times = 1): Promise<void> {
    for (let turn = 0; turn < times; turn += 1) {
      await this.webhooks.sending.look();
      await this.webhooks.sending.settle();
    }
  }

  /** The ids of the executions that the receiver was told of. */
  told(): string[] {
    return this.receiver.received.map(
      ({ body }) => (JSON.parse(body) as { data: { executionId: string } }).data.executionId,
    );
  }

  async logOf(webhookId: string): Promise<WebhookDelivery[]> {
    const input = { webhookId, states: [], page: { first: 100 } };
    return (await this.webhooks.management.listDeliveries(input, this.principal)).deliveries;
  }

  async dueNow(): Promise<void> {
    await this.dataSource.query('update orchestrator.webhook_delivery set due_at = now(), leased_until = null');
  }
}
