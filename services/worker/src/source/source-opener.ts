import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { SourceConnection } from '#libs/contracts';
import { MasterKeys, openSecrets } from '#libs/encryption';
import type { OpenedSource } from '../connector/connector.js';
import type { WorkerConfig } from '../worker.config.js';

/** Opens the secrets of sources with the master keys of this worker's own settings; nothing of them is kept. */
@Injectable()
export class SourceOpener {
  private readonly masterKeys: MasterKeys;

  constructor(@InjectConfig() config: WorkerConfig) {
    this.masterKeys = MasterKeys.parse(config.masterKeys);
  }

  /** @throws AppError secret.unreadable where the secrets are another source's, or not ours to open */
  open({ id, workspaceId, version, options, secrets }: SourceConnection): OpenedSource {
    const opened = secrets ? openSecrets(secrets, this.masterKeys, `${workspaceId}/${id}`) : {};
    return { id, version, options: { ...options, ...opened } };
  }
}
