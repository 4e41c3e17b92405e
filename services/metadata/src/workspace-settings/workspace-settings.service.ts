import { Injectable } from '@nestjs/common';
import type { metadataRequests, RequestOf, ResponseOf, WorkspaceSettings } from '#libs/contracts';
import { AppLogger } from '#libs/telemetry';
import type { Caller } from '../caller.js';
import { parseSettingsChange } from './workspace-settings.input.js';
import { WorkspaceSettingsRepository } from './workspace-settings.repository.js';

type Retentions = ResponseOf<typeof metadataRequests.listHistoryRetentions>['retentions'];
type ResultLimits = ResponseOf<typeof metadataRequests.listResultLimits>['limits'];

/** What a workspace sets for itself. It is among the assets, so that a question is planned by it as by its source. */
@Injectable()
export class WorkspaceSettingsService {
  constructor(
    private readonly repository: WorkspaceSettingsRepository,
    private readonly logger: AppLogger,
  ) {}

  get(workspaceId: string): Promise<WorkspaceSettings> {
    return this.repository.get(workspaceId);
  }

  /** @throws AppError `input.invalid`, `entity.conflict` */
  async update(
    input: RequestOf<typeof metadataRequests.updateWorkspaceSettings>,
    { workspaceId, userId }: Caller,
  ): Promise<WorkspaceSettings> {
    const change = parseSettingsChange(input);
    const settings = await this.repository.update(workspaceId, input.version, change);
    this.logger.info({ workspaceId, byUserId: userId, fields: Object.keys(change) }, 'a workspace was changed');
    return settings;
  }

  resultLimits(): Promise<ResultLimits> {
    return this.repository.resultLimits();
  }

  retentions(): Promise<Retentions> {
    return this.repository.retentions();
  }
}
