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

  /** What the caller's workspace sets for itself. */
  async getWorkspaceSettings(context: MessageContext): Promise<WorkspaceSettings | undefined> {
    return (await this.bus.request(metadataRequests.getWorkspaceSettings, {}, { context })).settings;
  }

  /** The workspaces that keep their history for a time of their own. */
  async listHistoryRetentions(): Promise<ResponseOf<typeof metadataRequests.listHistoryRetentions>['retentions']> {
    const context = serviceContext('orchestrator', '');
    return (await this.bus.request(metadataRequests.listHistoryRetentions, {}, { context })).retentions;
  }

  /** The saved queries of a workspace that want to be run when what they stand on is invalidated. */
  async listWarmUps(workspaceId: string, limit: number): Promise<readonly WarmUp[]> {
    const context = serviceContext('orchestrator', workspaceId);
    return (await this.bus.request(metadataRequests.listWarmUps, { workspaceId, limit }, { context })).warmUps;
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
}
