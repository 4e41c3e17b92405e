import { Mutation, Query, Resolver } from '@nestjs/graphql';
import { auditRequests, type AuditForwarder } from '#libs/contracts';
import { pageArgs, toConnection, type Connection, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface CreateArgs {
  readonly input: { readonly name: string; readonly url: string; readonly fromBeginning: boolean };
}

interface UpdateArgs {
  readonly input: {
    readonly id: string;
    readonly version: number;
    readonly name?: string | null;
    readonly enabled?: boolean | null;
  };
}

@Resolver('AuditForwarder')
export class AuditSettingsResolver {
  @Query('auditForwarders')
  async auditForwarders(
    _root: unknown,
    args: SearchArgs,
    context: RequestContext,
  ): Promise<Connection<AuditForwarder>> {
    const request = { page: pageArgs(args), search: args.search ?? undefined };
    const answer = await context.ask(auditRequests.listAuditForwarders, request);
    return toConnection(answer.forwarders, answer);
  }

  @Mutation('createAuditForwarder')
  createAuditForwarder(
    _root: unknown,
    { input: { name, url, fromBeginning } }: CreateArgs,
    context: RequestContext,
  ): Promise<Payload<{ forwarder: AuditForwarder | undefined; secret: string | undefined }>> {
    return payloadOf(async () => {
      const answer = await context.ask(auditRequests.createAuditForwarder, { name, url, fromBeginning });
      return { forwarder: answer.forwarder, secret: answer.secret };
    });
  }

  @Mutation('updateAuditForwarder')
  updateAuditForwarder(
    _root: unknown,
    { input: { id, version, name, enabled } }: UpdateArgs,
    context: RequestContext,
  ): Promise<Payload<{ forwarder: AuditForwarder | undefined }>> {
    const change = { id, version, name: name ?? undefined, enabled: enabled ?? undefined };
    return payloadOf(() => context.ask(auditRequests.updateAuditForwarder, change));
  }

  @Mutation('deleteAuditForwarder')
  deleteAuditForwarder(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => ({ deletedId: (await context.ask(auditRequests.deleteAuditForwarder, { id })).id }));
  }

  @Mutation('updateAuditSettings')
  updateAuditSettings(
    _root: unknown,
    { input }: { readonly input: { readonly retentionDays?: number | null } },
    context: RequestContext,
  ): Promise<Payload<{ retentionDays: number | undefined }>> {
    const retentionDays = input.retentionDays ?? undefined;
    const keepsRetention = input.retentionDays === undefined;
    return payloadOf(async () => {
      const answer = await context.ask(auditRequests.updateAuditSettings, { retentionDays, keepsRetention });
      return { retentionDays: answer.retentionDays };
    });
  }
}
