import { Query, ResolveField, Resolver } from '@nestjs/graphql';
import { authRequests, runRequests, type ResponseOf } from '#libs/contracts';
import type { RequestContext } from '../request/request-context.js';

type Quota = ResponseOf<typeof runRequests.getQuotas>['quotas'][number];
type Viewer = ResponseOf<typeof authRequests.getViewer>;

@Resolver('Viewer')
export class ViewerResolver {
  @Query('viewer')
  async viewer(_root: unknown, _args: unknown, context: RequestContext): Promise<Viewer | null> {
    if (!context.callerIfAny) return null;
    const viewer = await context.ask(authRequests.getViewer, {});
    return { ...viewer, attributes: viewer.attributes ?? {} };
  }

  @ResolveField('quotas')
  async quotas(
    _viewer: Viewer,
    _args: unknown,
    context: RequestContext,
  ): Promise<(Quota & { remaining: number | null })[]> {
    const { quotas } = await context.ask(runRequests.getQuotas, {});
    return quotas.map((quota) => ({
      ...quota,
      remaining: quota.limit === undefined ? null : Math.max(0, quota.limit - quota.used),
    }));
  }
}
