import { Query, Resolver } from '@nestjs/graphql';
import { authRequests, type ResponseOf } from '#libs/contracts';
import type { RequestContext } from '../request/request-context.js';

type Viewer = ResponseOf<typeof authRequests.getViewer>;

@Resolver('Viewer')
export class ViewerResolver {
  @Query('viewer')
  async viewer(_root: unknown, _args: unknown, context: RequestContext): Promise<Viewer | null> {
    if (!context.callerIfAny) return null;
    const viewer = await context.ask(authRequests.getViewer, {});
    return { ...viewer, attributes: viewer.attributes ?? {} };
  }
}
