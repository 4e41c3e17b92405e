import { Mutation, Resolver } from '@nestjs/graphql';
import { accountRequests, type ApiKey } from '#libs/contracts';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface RotateApiKeyArgs {
  readonly input: { readonly id: string; readonly overlapSeconds: number };
}

@Resolver()
export class RotateApiKeyResolver {
  @Mutation('rotateApiKey')
  rotateApiKey(
    _root: unknown,
    { input }: RotateApiKeyArgs,
    context: RequestContext,
  ): Promise<Payload<{ apiKey: ApiKey | undefined; secret: string }>> {
    return payloadOf(() => context.ask(accountRequests.rotateApiKey, input));
  }
}
