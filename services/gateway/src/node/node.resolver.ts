import { Query, ResolveField, Resolver } from '@nestjs/graphql';
import type { RequestContext } from '../request/request-context.js';
import { loadNode, typeNameOf, type NodeLike } from './node-kinds.js';

@Resolver('Node')
export class NodeResolver {
  @Query('node')
  async node(_root: unknown, { id }: NodeLike, context: RequestContext): Promise<NodeLike | null> {
    void context.caller;
    return loadNode(id, context);
  }

  @ResolveField('__resolveType')
  resolveType({ id }: NodeLike): string | undefined {
    return typeNameOf(id);
  }
}

@Resolver('Actor')
export class ActorResolver {
  @ResolveField('__resolveType')
  resolveType({ id }: NodeLike): string | undefined {
    return typeNameOf(id);
  }
}
