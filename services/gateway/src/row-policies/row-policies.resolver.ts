import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { metadataRequests, type ColumnMask, type DataSource, type RowPolicy } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { clearedIn, listOf } from '../common/cleared.js';
import { pageArgs, toConnection, type Connection, type SearchArgs } from '../common/pages.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface MaskInput {
  readonly column: string;
  readonly kind: ColumnMask['kind'];
  readonly value?: string | null;
}

interface CreateRowPolicyArgs {
  readonly input: {
    readonly name: string;
    readonly dataSourceId: string;
    readonly table?: {
      readonly catalog?: string | null;
      readonly schema?: string | null;
      readonly name: string;
    } | null;
    readonly groupNames: string[];
    readonly exemptGroupNames: string[];
    readonly key?: string | null;
    readonly predicate: string;
    readonly masks: readonly MaskInput[];
    readonly enabled: boolean;
  };
}

interface UpdateRowPolicyArgs {
  readonly input: {
    readonly id: string;
    readonly version: number;
    readonly name?: string | null;
    readonly groupNames?: string[] | null;
    readonly exemptGroupNames?: string[] | null;
    readonly key?: string | null;
    readonly predicate?: string | null;
    readonly masks?: readonly MaskInput[] | null;
    readonly enabled?: boolean | null;
  };
}

type RowPolicyPayload = Payload<{ rowPolicy: RowPolicy | undefined | null; untriedReason?: string | undefined }>;

@Resolver('RowPolicy')
export class RowPoliciesResolver {
  @Query('rowPolicies')
  async rowPolicies(
    _root: unknown,
    args: SearchArgs & { readonly dataSourceId?: string | null },
    context: RequestContext,
  ): Promise<Connection<RowPolicy>> {
    const { dataSourceId, search } = args;
    const request = { page: pageArgs(args), dataSourceId: dataSourceId ?? undefined, search: search ?? undefined };
    const answer = await context.ask(metadataRequests.listRowPolicies, request);
    return toConnection(answer.rowPolicies, answer);
  }

  @Mutation('createRowPolicy')
  createRowPolicy(_root: unknown, { input }: CreateRowPolicyArgs, context: RequestContext): Promise<RowPolicyPayload> {
    const { table, key, masks } = input;
    return payloadOf(() =>
      context.ask(metadataRequests.createRowPolicy, {
        ...input,
        table: table
          ? { catalog: table.catalog ?? undefined, schema: table.schema ?? undefined, name: table.name }
          : undefined,
        key: key ?? undefined,
        masks: masks.map(toMask),
      }),
    );
  }

  @Mutation('updateRowPolicy')
  updateRowPolicy(_root: unknown, { input }: UpdateRowPolicyArgs, context: RequestContext): Promise<RowPolicyPayload> {
    const { id, version, name, groupNames, exemptGroupNames, key, predicate, masks, enabled } = input;
    return payloadOf(
      () =>
        context.ask(metadataRequests.updateRowPolicy, {
          id,
          version,
          name: name ?? undefined,
          groupNames: listOf(groupNames),
          exemptGroupNames: listOf(exemptGroupNames),
          key: key ?? undefined,
          predicate: predicate ?? undefined,
          masks: masks ? { values: masks.map(toMask) } : undefined,
          enabled: enabled ?? undefined,
          cleared: clearedIn(input),
        }),
      async () => ({ rowPolicy: await context.loaders.rowPolicies.load(id) }),
    );
  }

  @Mutation('deleteRowPolicy')
  deleteRowPolicy(
    _root: unknown,
    { id }: { readonly id: string },
    context: RequestContext,
  ): Promise<Payload<{ deletedId: string }>> {
    return payloadOf(async () => ({ deletedId: (await context.ask(metadataRequests.deleteRowPolicy, { id })).id }));
  }

  @ResolveField('dataSource')
  async dataSource({ dataSourceId }: RowPolicy, _args: unknown, context: RequestContext): Promise<DataSource> {
    const source = await context.loaders.dataSources.load(dataSourceId);
    // An API key may read policies alone.
    if (!source) throw new AppError('auth.forbidden', 'This needs the permission data_source.read.');
    return source;
  }
}

function toMask({ column, kind, value }: MaskInput): ColumnMask {
  return { column, kind, value: value ?? undefined };
}
