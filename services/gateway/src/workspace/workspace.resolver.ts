import { Mutation, ResolveField, Resolver } from '@nestjs/graphql';
import {
  federationRequests,
  metadataRequests,
  type QuotaLimits,
  type Workspace,
  type WorkspaceSettings,
} from '#libs/contracts';
import { clearedIn } from '../common/cleared.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

type Nullable<T> = { readonly [K in keyof T]?: T[K] | null };

interface UpdateWorkspaceArgs {
  readonly input: Nullable<Omit<WorkspaceSettings, 'version' | 'userQuotas' | 'workspaceQuotas'>> & {
    readonly version: number;
    readonly ssoEnforced?: boolean | null;
    readonly userQuotas?: Nullable<QuotaLimits> | null;
    readonly workspaceQuotas?: Nullable<QuotaLimits> | null;
  };
}

type Shown = Pick<Workspace, 'id'> & { readonly settings?: WorkspaceSettings };

@Resolver('Workspace')
export class WorkspaceResolver {
  @Mutation('updateWorkspace')
  updateWorkspace(
    _root: unknown,
    { input }: UpdateWorkspaceArgs,
    context: RequestContext,
  ): Promise<Payload<{ workspace: Shown | null }>> {
    const { workspaceId } = context.caller.principal;
    const workspace = async (settings?: WorkspaceSettings): Promise<{ workspace: Shown | null }> => {
      const found = await context.loaders.workspaces.load(workspaceId);
      return { workspace: found && { ...found, ...(settings ? { settings } : {}) } };
    };
    return payloadOf(
      async () => {
        const { ssoEnforced } = input;
        const policy = typeof ssoEnforced === 'boolean' ? { ssoEnforced } : undefined;
        // Two services keep it: what one of them would refuse is refused before the other has done its part.
        if (policy) await context.ask(federationRequests.setSignInPolicy, { ...policy, checkOnly: true });
        const { settings } = await context.ask(metadataRequests.updateWorkspaceSettings, {
          version: input.version,
          timeZone: input.timeZone ?? undefined,
          cacheTtlSeconds: input.cacheTtlSeconds ?? undefined,
          historyDays: input.historyDays ?? undefined,
          resultDays: input.resultDays ?? undefined,
          resultBytesMax: input.resultBytesMax ?? undefined,
          sampleRows: input.sampleRows ?? undefined,
          durableHits: input.durableHits ?? undefined,
          userQuotas: quotasOf(input.userQuotas),
          workspaceQuotas: quotasOf(input.workspaceQuotas),
          cleared: clearedIn(input),
        });
        // Behind the rest, which has its version: what is refused here leaves no password good that was not before.
        if (policy) await context.ask(federationRequests.setSignInPolicy, { ...policy, checkOnly: false });
        return workspace(settings);
      },
      () => workspace(),
    );
  }

  @ResolveField('settings')
  async settings({ settings }: Shown, _args: unknown, context: RequestContext): Promise<WorkspaceSettings | null> {
    return settings ?? (await context.ask(metadataRequests.getWorkspaceSettings, {})).settings ?? null;
  }
}

function quotasOf(quotas: Nullable<QuotaLimits> | null | undefined): QuotaLimits | undefined {
  if (!quotas) return undefined;
  const { executions, seconds, rows, bytes } = quotas;
  return {
    executions: executions ?? undefined,
    seconds: seconds ?? undefined,
    rows: rows ?? undefined,
    bytes: bytes ?? undefined,
  };
}
