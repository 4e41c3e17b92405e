import { Mutation, Resolver } from '@nestjs/graphql';
import { runRequests } from '#libs/contracts';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';
import { toInvalidation, type InvalidateCacheInput } from './invalidation.js';

@Resolver()
export class CacheResolver {
  @Mutation('invalidateCache')
  invalidateCache(
    _root: unknown,
    { input }: { readonly input: InvalidateCacheInput },
    context: RequestContext,
  ): Promise<Payload<{ invalidatedCount: number }>> {
    return payloadOf(() => context.ask(runRequests.invalidateCache, toInvalidation(input)));
  }
}
