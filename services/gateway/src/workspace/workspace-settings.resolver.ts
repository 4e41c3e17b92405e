import { ResolveField, Resolver } from '@nestjs/graphql';
import { federationRequests } from '#libs/contracts';
import type { RequestContext } from '../request/request-context.js';

/** The one setting that auth keeps, as signing in depends on it. */
@Resolver('WorkspaceSettings')
export class WorkspaceSettingsResolver {
  @ResolveField('ssoEnforced')
  async ssoEnforced(_settings: unknown, _args: unknown, context: RequestContext): Promise<boolean> {
    return (await context.ask(federationRequests.getSignInPolicy, {})).ssoEnforced;
  }
}
