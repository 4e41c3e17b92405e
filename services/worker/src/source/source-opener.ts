import { Inject, Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { RunPlan, SourceConnection } from '#libs/contracts';
import { MasterKeys, openSecrets, openText } from '#libs/encryption';
import type { OpenedSource } from '../connector/connector.js';
import type { WorkerConfig } from '../worker.config.js';
import { SecretReads } from './secret-reads.js';

/** Opens the secrets of sources and statements with the master keys of this worker's own settings; nothing of them is kept. */
@Injectable()
export class SourceOpener {
  private readonly masterKeys: MasterKeys;

  constructor(
    @InjectConfig() config: WorkerConfig,
    @Inject(SecretReads) private readonly reads: Pick<SecretReads, 'note'>,
  ) {
    this.masterKeys = MasterKeys.parse(config.masterKeys);
  }

  /** @throws AppError secret.unreadable where the secrets are another source's, or not ours to open */
  open(source: SourceConnection): OpenedSource {
    const { id, workspaceId, version, options, secrets } = source;
    if (secrets) this.reads.note(source);
    const opened = secrets ? openSecrets(secrets, this.masterKeys, `${workspaceId}/${id}`) : {};
    return { id, version, options: { ...options, ...opened } };
  }

  /**
   * What is bound to a run's placeholders.
   * @throws AppError secret.unreadable where a value was sealed for another run
   */
  openValues({ workspaceId, runId, values }: RunPlan): readonly (string | null)[] {
    return values.map(({ value, sealed }) =>
      sealed === undefined ? (value ?? null) : openText(sealed, this.masterKeys, `${workspaceId}/${runId}`),
    );
  }
}
