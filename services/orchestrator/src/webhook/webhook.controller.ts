import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { webhookRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, principalOf } from '#libs/identity';
import { WebhookService } from './webhook.service.js';

/** A webhook tells of everyone's executions, so that one permission, the administrator's, is asked for all of it. */
@Controller()
export class WebhookController {
  constructor(private readonly service: WebhookService) {}

  @HandlesRequest(webhookRequests.getWebhooks)
  @Allow('webhook.manage')
  async getWebhooks(
    @Payload() { ids }: RequestOf<typeof webhookRequests.getWebhooks>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof webhookRequests.getWebhooks>> {
    return { webhooks: await this.service.get(ids, principalOf(context)) };
  }

  @HandlesRequest(webhookRequests.listWebhooks)
  @Allow('webhook.manage')
  async listWebhooks(
    @Payload() input: RequestOf<typeof webhookRequests.listWebhooks>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof webhookRequests.listWebhooks>> {
    return this.service.list(input, principalOf(context));
  }

  @HandlesRequest(webhookRequests.createWebhook)
  @Allow('webhook.manage')
  async createWebhook(
    @Payload() input: RequestOf<typeof webhookRequests.createWebhook>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof webhookRequests.createWebhook>> {
    return this.service.create(input, principalOf(context));
  }

  @HandlesRequest(webhookRequests.updateWebhook)
  @Allow('webhook.manage')
  async updateWebhook(
    @Payload() input: RequestOf<typeof webhookRequests.updateWebhook>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof webhookRequests.updateWebhook>> {
    return { webhook: await this.service.update(input, principalOf(context)) };
  }

  @HandlesRequest(webhookRequests.rotateWebhookSecret)
  @Allow('webhook.manage')
  async rotateWebhookSecret(
    @Payload() { id }: RequestOf<typeof webhookRequests.rotateWebhookSecret>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof webhookRequests.rotateWebhookSecret>> {
    return this.service.rotateSecret(id, principalOf(context));
  }

  @HandlesRequest(webhookRequests.deleteWebhook)
  @Allow('webhook.manage')
  async deleteWebhook(
    @Payload() { id }: RequestOf<typeof webhookRequests.deleteWebhook>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof webhookRequests.deleteWebhook>> {
    await this.service.delete(id, principalOf(context));
    return { id };
  }

  @HandlesRequest(webhookRequests.getWebhookDeliveries)
  @Allow('webhook.manage')
  async getWebhookDeliveries(
    @Payload() { ids }: RequestOf<typeof webhookRequests.getWebhookDeliveries>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof webhookRequests.getWebhookDeliveries>> {
    return { deliveries: await this.service.getDeliveries(ids, principalOf(context)) };
  }

  @HandlesRequest(webhookRequests.listWebhookDeliveries)
  @Allow('webhook.manage')
  async listWebhookDeliveries(
    @Payload() input: RequestOf<typeof webhookRequests.listWebhookDeliveries>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof webhookRequests.listWebhookDeliveries>> {
    return this.service.listDeliveries(input, principalOf(context));
  }

  @HandlesRequest(webhookRequests.redeliverWebhook)
  @Allow('webhook.manage')
  async redeliverWebhook(
    @Payload() { deliveryId }: RequestOf<typeof webhookRequests.redeliverWebhook>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof webhookRequests.redeliverWebhook>> {
    return { delivery: await this.service.redeliver(deliveryId, principalOf(context)) };
  }
}
