import { ResolveField, Resolver } from '@nestjs/graphql';
import { accessRequests, type AssetAccess, type Grant } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { pageArgs, toConnection, type Connection, type ListArgs } from '../common/pages.js';
import type { NodeLike } from '../node/node-kinds.js';
import type { RequestContext } from '../request/request-context.js';

@Resolver('DataSource')
export class DataSourceAccessResolver {
  @ResolveField('access')
  access({ id }: NodeLike, _args: unknown, context: RequestContext): Promise<AssetAccess | null> {
    return context.loaders.assetAccess.load(id);
  }
}

@Resolver('SavedQuery')
export class SavedQueryAccessResolver {
  @ResolveField('access')
  access({ id }: NodeLike, _args: unknown, context: RequestContext): Promise<AssetAccess | null> {
    return context.loaders.assetAccess.load(id);
  }
}

@Resolver('AssetAccess')
export class AssetAccessResolver {
  @ResolveField('grants')
  async grants({ assetId }: AssetAccess, args: ListArgs, context: RequestContext): Promise<Connection<Grant> | null> {
    const page = pageArgs(args);
    try {
      const answer = await context.ask(accessRequests.listGrants, { page, assetId });
      return toConnection(answer.grants, answer);
    } catch (error) {
      // Null to those who may not read it, which costs one field and no error.
      if (error instanceof AppError && error.code === 'auth.forbidden') return null;
      throw error;
    }
  }
}
