import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { webhookRequests, type Execution, type Webhook, type WebhookDelivery } from '#libs/contracts';
import type { Connection } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';
import { deliveriesOf } from './webhooks.resolver.js';

type DeliveriesArgs = Parameters<typeof deliveriesOf>[1] & { readonly webhookId: string };

@Resolver('WebhookDelivery')
export class WebhookDeliveriesResolver {
  @Query('webhookDeliveries')
  webhookDeliveries(
    _root: unknown,
    args: DeliveriesArgs,
    context: RequestContext,
  ): Promise<Connection<WebhookDelivery>> {
    return deliveriesOf(args.webhookId, args, context);
  }

  @Mutation('redeliverWebhook')
  redeliverWebhook(
    _root: unknown,
    { deliveryId }: { readonly deliveryId: string },
    context: RequestContext,
  ): Promise<Payload<{ delivery: WebhookDelivery | undefined | null }>> {
    return payloadOf(
      () => context.ask(webhookRequests.redeliverWebhook, { deliveryId }),
      async () => ({ delivery: await context.loaders.webhookDeliveries.load(deliveryId) }),
    );
  }

  @ResolveField('webhook')
  webhook({ webhookId }: WebhookDelivery, _args: unknown, context: RequestContext): Promise<Webhook | null> {
    return context.loaders.webhooks.load(webhookId);
  }

  @ResolveField('execution')
  execution({ executionId }: WebhookDelivery, _args: unknown, context: RequestContext): Promise<Execution | null> {
    return context.loaders.executions.load(executionId);
  }

  /** The orchestrator wrote it as JSON. */
  @ResolveField('payload')
  payload({ payload }: WebhookDelivery): unknown {
    return JSON.parse(payload);
  }
}
