import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { accessRequests, type AccessLevel, type Grant, type Grantee } from '#libs/contracts';
import { pageArgs, toConnection, type Connection, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import { invalidInput } from '../errors/user-error.js';
import { loadActor, loadAsset, type NodeLike } from '../node/node-kinds.js';
import type { RequestContext } from '../request/request-context.js';

interface GranteeArgs {
  readonly userId?: string | null;
  readonly groupName?: string | null;
}

type GrantsArgs = SearchArgs & GranteeArgs & { readonly assetId?: string | null };

interface CreateGrantArgs {
  readonly input: GranteeArgs & { readonly assetId: string; readonly level: AccessLevel };
}

interface IdArgs {
  readonly id: string;
}

type GrantPayload = Payload<{ grant: Grant | undefined }>;
type RestrictionPayload = Payload<{ asset: NodeLike | null }>;

@Resolver('Grant')
export class GrantsResolver {
  @Query('grants')
  async grants(_root: unknown, args: GrantsArgs, context: RequestContext): Promise<Connection<Grant>> {
    const { assetId, search } = args;
    const filter = { assetId: assetId ?? undefined, grantee: granteeOf(args), search: search ?? undefined };
    const answer = await context.ask(accessRequests.listGrants, { page: pageArgs(args), ...filter });
    return toConnection(answer.grants, answer);
  }

  @Mutation('restrictAsset')
  restrictAsset(_root: unknown, { id }: IdArgs, context: RequestContext): Promise<RestrictionPayload> {
    return setRestricted(id, true, context);
  }

  @Mutation('unrestrictAsset')
  unrestrictAsset(_root: unknown, { id }: IdArgs, context: RequestContext): Promise<RestrictionPayload> {
    return setRestricted(id, false, context);
  }

  @Mutation('createGrant')
  createGrant(_root: unknown, { input }: CreateGrantArgs, context: RequestContext): Promise<GrantPayload> {
    const { assetId, level } = input;
    return payloadOf(() => context.ask(accessRequests.createGrant, { assetId, level, grantee: granteeOf(input) }));
  }

  @Mutation('deleteGrant')
  deleteGrant(_root: unknown, { id }: IdArgs, context: RequestContext): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => ({ deletedId: (await context.ask(accessRequests.deleteGrant, { id })).id }));
  }

  @ResolveField('asset')
  asset({ assetId }: Grant, _args: unknown, context: RequestContext): Promise<NodeLike | null> {
    return loadAsset(assetId, context);
  }

  @ResolveField('grantee')
  async grantee({ grantee }: Grant, _args: unknown, context: RequestContext): Promise<NodeLike | null> {
    return grantee?.kind === 'USER' ? loadActor(grantee.key, context) : null;
  }

  @ResolveField('groupName')
  groupName({ grantee }: Grant): string | null {
    return grantee?.kind === 'GROUP' ? grantee.key : null;
  }

  @ResolveField('createdBy')
  createdBy({ createdById }: Grant, _args: unknown, context: RequestContext): Promise<NodeLike | null> {
    return loadActor(createdById, context);
  }
}

function setRestricted(assetId: string, restricted: boolean, context: RequestContext): Promise<RestrictionPayload> {
  return payloadOf(async () => {
    await context.ask(accessRequests.setRestricted, { assetId, restricted });
    return { asset: await loadAsset(assetId, context) };
  });
}

function granteeOf({ userId, groupName }: GranteeArgs): Grantee | undefined {
  const hasUser = userId !== null && userId !== undefined;
  const hasGroup = groupName !== null && groupName !== undefined;
  if (hasUser && hasGroup) throw invalidInput('give userId or groupName, not both', 'groupName');
  if (hasUser) return { kind: 'USER', key: userId };
  return hasGroup ? { kind: 'GROUP', key: groupName } : undefined;
}
