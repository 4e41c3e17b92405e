import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext, type MessageContext } from '#libs/bus';
import {
  metadataRequests,
  type RequestOf,
  type ResponseOf,
  type SourceConnection,
  type WarmUp,
  type WorkspaceSettings,
} from '#libs/contracts';
import type { TableName } from '#libs/sql';

/** So many are read at once. */
const warmUpsMax = 1_000;

type Subject = RequestOf<typeof metadataRequests.resolveRunnable>['subject'];

@Injectable()
export class MetadataClient {
  constructor(private readonly bus: BusClient) {}

  /** What the caller may run, asked in the caller's own name. */
  async resolveRunnable(
    subject: Subject,
    context: MessageContext,
    signal: AbortSignal,
  ): Promise<ResponseOf<typeof metadataRequests.resolveRunnable>> {
    return this.bus.request(metadataRequests.resolveRunnable, { subject }, { context, signal });
  }

  /** All that is needed to put the row policies of a source into a statement. */
  async getSourcePolicies(
    dataSourceId: string,
    workspaceId: string,
    requestId: string,
  ): Promise<ResponseOf<typeof metadataRequests.getSourcePolicies>> {
    const context = serviceContext('orchestrator', workspaceId, requestId);
    return this.bus.request(metadataRequests.getSourcePolicies, { dataSourceId }, { context });
  }

  /** Whether a source can take a sample of a table; undefined where that is not known. */
  async isSamplable(
    { id, workspaceId }: Pick<SourceConnection, 'id' | 'workspaceId'>,
    { schema, name }: TableName,
    requestId: string,
  ): Promise<boolean | undefined> {
    const context = serviceContext('orchestrator', workspaceId, requestId);
    return (await this.bus.request(metadataRequests.isSamplable, { dataSourceId: id, schema, name }, { context }))
      .samplable;
  }

  /** What the caller's workspace sets for itself. */
  async getWorkspaceSettings(context: MessageContext): Promise<WorkspaceSettings | undefined> {
    return (await this.bus.request(metadataRequests.getWorkspaceSettings, {}, { context })).settings;
  }

  /** The workspaces that keep their history for a time of their own. */
  async listHistoryRetentions(): Promise<ResponseOf<typeof metadataRequests.listHistoryRetentions>['retentions']> {
    const context = serviceContext('orchestrator', '');
    return (await this.bus.request(metadataRequests.listHistoryRetentions, {}, { context })).retentions;
  }

  /** The saved queries of a workspace that want to be run when what they stand on is invalidated, page by page. */
  async *listWarmUps(workspaceId: string): AsyncGenerator<WarmUp> {
    let page = await this.warmUpsAfter('', workspaceId);
    yield* page;
    while (page.length === warmUpsMax) {
      page = await this.warmUpsAfter(page.at(-1)?.savedQueryId ?? '', workspaceId);
      yield* page;
    }
  }

  /** A source as it is now; undefined where it is gone. */
  async findSource(
    sourceId: string,
    workspaceId: string,
    requestId: string,
    ttlMs: number,
  ): Promise<SourceConnection | undefined> {
    const { sources } = await this.bus.request(
      metadataRequests.getSourceConnections,
      { ids: [sourceId] },
      { context: serviceContext('orchestrator', workspaceId, requestId), ttlMs },
    );
    return sources[0];
  }

  private async warmUpsAfter(afterId: string, workspaceId: string): Promise<readonly WarmUp[]> {
    const request = { workspaceId, afterId, limit: warmUpsMax };
    const context = serviceContext('orchestrator', workspaceId);
    return (await this.bus.request(metadataRequests.listWarmUps, request, { context })).warmUps;
  }
}
