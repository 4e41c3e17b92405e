import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { webhookRequests, type Webhook, type WebhookDelivery, type WebhookFilter } from '#libs/contracts';
import { clearedIn, listOf } from '../common/cleared.js';
import { pageArgs, toConnection, type Connection, type ListArgs, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface CreateWebhookArgs {
  readonly input: WebhookFilter & { readonly name: string; readonly url: string; readonly enabled: boolean };
}

interface UpdateWebhookArgs {
  readonly input: {
    readonly [Field in keyof CreateWebhookArgs['input']]?: CreateWebhookArgs['input'][Field] | null;
  } & {
    readonly id: string;
    readonly version: number;
  };
}

interface DeliveriesArgs extends ListArgs {
  readonly states?: WebhookDelivery['state'][] | null;
}

type WebhookPayload = Payload<{ webhook: Webhook | undefined | null }>;
type SecretPayload = Payload<{ webhook: Webhook | undefined; secret: string }>;

@Resolver('Webhook')
export class WebhooksResolver {
  @Query('webhooks')
  async webhooks(_root: unknown, args: SearchArgs, context: RequestContext): Promise<Connection<Webhook>> {
    const request = { page: pageArgs(args), search: args.search ?? undefined };
    const answer = await context.ask(webhookRequests.listWebhooks, request);
    return toConnection(answer.webhooks, answer);
  }

  @Mutation('createWebhook')
  createWebhook(_root: unknown, { input }: CreateWebhookArgs, context: RequestContext): Promise<SecretPayload> {
    const { name, url, enabled, states, savedQueryIds, dataSourceIds } = input;
    const filter = { states, savedQueryIds, dataSourceIds };
    return payloadOf(() => context.ask(webhookRequests.createWebhook, { name, url, enabled, filter }));
  }

  @Mutation('updateWebhook')
  updateWebhook(_root: unknown, { input }: UpdateWebhookArgs, context: RequestContext): Promise<WebhookPayload> {
    const { id, version, name, url, states, savedQueryIds, dataSourceIds, enabled } = input;
    return payloadOf(
      () =>
        context.ask(webhookRequests.updateWebhook, {
          id,
          version,
          name: name ?? undefined,
          url: url ?? undefined,
          states: states ? { values: states } : undefined,
          savedQueryIds: listOf(savedQueryIds),
          dataSourceIds: listOf(dataSourceIds),
          enabled: enabled ?? undefined,
          cleared: clearedIn(input),
        }),
      async () => ({ webhook: await context.loaders.webhooks.load(id) }),
    );
  }

  @Mutation('rotateWebhookSecret')
  rotateWebhookSecret(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<SecretPayload> {
    return payloadOf(() => context.ask(webhookRequests.rotateWebhookSecret, { id }));
  }

  @Mutation('deleteWebhook')
  deleteWebhook(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => ({ deletedId: (await context.ask(webhookRequests.deleteWebhook, { id })).id }));
  }

  @ResolveField('states')
  states({ filter }: Webhook): readonly string[] {
    return filter?.states ?? [];
  }

  @ResolveField('savedQueryIds')
  savedQueryIds({ filter }: Webhook): readonly string[] {
    return filter?.savedQueryIds ?? [];
  }

  @ResolveField('dataSourceIds')
  dataSourceIds({ filter }: Webhook): readonly string[] {
    return filter?.dataSourceIds ?? [];
  }

  @ResolveField('deliveries')
  deliveries({ id }: Webhook, args: DeliveriesArgs, context: RequestContext): Promise<Connection<WebhookDelivery>> {
    return deliveriesOf(id, args, context);
  }
}

export async function deliveriesOf(
  webhookId: string,
  args: DeliveriesArgs,
  context: RequestContext,
): Promise<Connection<WebhookDelivery>> {
  const request = { webhookId, page: pageArgs(args), states: [...(args.states ?? [])] };
  const answer = await context.ask(webhookRequests.listWebhookDeliveries, request);
  return toConnection(answer.deliveries, answer);
}
