import { hkdfSync } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { InjectConfig } from '#libs/config';
import { MasterKeys, unwrapDataKey } from '#libs/encryption';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { AuthClient } from '../plan/auth.client.js';

const workspacesMax = 1_000;
const keyBytes = 32;

/**
 * The keys of HASH masks, one for each workspace, derived from its data key: a new master key leaves them as they are, and
 * nothing that the data key has sealed can be opened with them.
 */
@Injectable()
export class MaskKeys {
  private readonly keys = new LRUCache<string, string>({ max: workspacesMax });
  private readonly masterKeys: MasterKeys;

  constructor(
    private readonly auth: AuthClient,
    @InjectConfig() { masks }: Pick<OrchestratorConfig, 'masks'>,
  ) {
    this.masterKeys = MasterKeys.parse(masks.masterKeys);
  }

  async get(workspaceId: string): Promise<string> {
    const known = this.keys.get(workspaceId);
    if (known !== undefined) return known;
    const { key } = unwrapDataKey(await this.auth.getDataKey(workspaceId), this.masterKeys, workspaceId);
    const derived = Buffer.from(hkdfSync('sha256', key, workspaceId, 'sluice row policy mask', keyBytes));
    const text = derived.toString('base64url');
    this.keys.set(workspaceId, text);
    return text;
  }
}
