import { Injectable } from '@nestjs/common';
import type { RequestOf, ResponseOf, Webhook, WebhookDelivery, webhookRequests } from '#libs/contracts';
import { parsePage, toPage } from '#libs/database';
import { sealText } from '#libs/encryption';
import { AppError, isId, newId } from '#libs/kernel';
import type { Principal } from '#libs/identity';
import { newWebhookSecret, ReceiverClient } from '#libs/receivers';
import { DataKeys } from '../policy/data-keys.js';
import { WebhookDeliveryRepository } from './webhook-delivery.repository.js';
import { checkSearch, parseNewWebhook, parseWebhookChange, refusedUrl } from './webhook.input.js';
import { WebhookRepository } from './webhook.repository.js';

type Requests = typeof webhookRequests;

const idsMax = 100;

const refusedAddress =
  'Webhooks are sent to public addresses only; an operator may allow the networks of receivers inside by SLUICE_ORCHESTRATOR_WEBHOOK_ALLOWED_NETWORKS.';

/** Webhooks of a workspace, for those who manage them. */
@Injectable()
export class WebhookService {
  constructor(
    private readonly webhooks: WebhookRepository,
    private readonly deliveries: WebhookDeliveryRepository,
    private readonly receivers: ReceiverClient,
    private readonly dataKeys: DataKeys,
  ) {}

  async get(ids: readonly string[], { workspaceId }: Principal): Promise<Webhook[]> {
    return this.webhooks.find(workspaceId, bounded(ids));
  }

  async list(
    input: RequestOf<Requests['listWebhooks']>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<Requests['listWebhooks']>> {
    const search = checkSearch(input.search);
    const page = parsePage(input.page, 'webhooks', { workspaceId, search: search ?? null });
    const { webhooks, totalCount } = await this.webhooks.list(workspaceId, search, page);
    const { rows, cursors, pageInfo } = toPage(webhooks, page, ({ id }) => [id]);
    return { webhooks: rows, cursors, pageInfo, totalCount };
  }

  async create(
    input: RequestOf<Requests['createWebhook']>,
    { workspaceId, userId }: Principal,
  ): Promise<ResponseOf<Requests['createWebhook']>> {
    const webhook = parseNewWebhook(input);
    await this.assertSendable(webhook.url);
    const id = newId('webhook');
    const { secret, sealed } = await this.newSecret(workspaceId, id);
    const made = await this.webhooks.insert({ ...webhook, id, workspaceId, secret: sealed, createdById: userId });
    return { webhook: made, secret };
  }

  async update(input: RequestOf<Requests['updateWebhook']>, { workspaceId }: Principal): Promise<Webhook> {
    const change = parseWebhookChange(input);
    if (change.url !== undefined) await this.assertSendable(change.url);
    return this.webhooks.update({ workspaceId, id: input.id }, input.version, change);
  }

  async rotateSecret(id: string, { workspaceId }: Principal): Promise<ResponseOf<Requests['rotateWebhookSecret']>> {
    await this.webhooks.get({ workspaceId, id });
    const { secret, sealed } = await this.newSecret(workspaceId, id);
    return { webhook: await this.webhooks.rotateSecret({ workspaceId, id }, sealed), secret };
  }

  async delete(id: string, { workspaceId }: Principal): Promise<void> {
    await this.webhooks.delete({ workspaceId, id });
  }

  async getDeliveries(ids: readonly string[], { workspaceId }: Principal): Promise<WebhookDelivery[]> {
    return this.deliveries.find(workspaceId, bounded(ids));
  }

  /** Newest first. */
  async listDeliveries(
    { page: args, webhookId, states }: RequestOf<Requests['listWebhookDeliveries']>,
    { workspaceId }: Principal,
  ): Promise<ResponseOf<Requests['listWebhookDeliveries']>> {
    const page = parsePage(args, 'webhookDeliveries', { workspaceId, webhookId, states: [...states].sort() });
    await this.webhooks.get({ workspaceId, id: webhookId });
    const deliveries = await this.deliveries.list(webhookId, states, page);
    const { rows, cursors, pageInfo } = toPage(deliveries, page, ({ id }) => [id]);
    return { deliveries: rows, cursors, pageInfo };
  }

  async redeliver(id: string, { workspaceId }: Principal): Promise<WebhookDelivery> {
    return this.deliveries.redeliver(workspaceId, isId('webhookDelivery', id) ? id : '');
  }

  /** Told early where the URL alone says it. What its name stands for is looked at each time that it is sent to. */
  private async assertSendable(text: string): Promise<void> {
    const url = new URL(text);
    if (await this.receivers.isRefused(url)) throw refusedUrl(refusedAddress);
    if (url.protocol === 'http:' && !this.receivers.allowsPlainHttp) throw refusedUrl('url must begin with https://.');
  }

  private async newSecret(workspaceId: string, webhookId: string): Promise<{ secret: string; sealed: string }> {
    const secret = newWebhookSecret();
    const dataKey = await this.dataKeys.get(workspaceId);
    return { secret, sealed: sealText(secret, dataKey, `${workspaceId}/${webhookId}`) };
  }
}

function bounded(ids: readonly string[]): readonly string[] {
  if (ids.length <= idsMax) return ids;
  throw new AppError('input.too_large', `At most ${idsMax} at once.`, { path: ['ids'] });
}
