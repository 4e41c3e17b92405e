import { hkdfSync } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataKeys } from './data-keys.js';

const keyBytes = 32;

/**
 * The keys of HASH masks, one for each workspace, derived from its data key: a new master key leaves them as they are, and
 * nothing that the data key has sealed can be opened with them.
 */
@Injectable()
export class MaskKeys {
  constructor(private readonly dataKeys: DataKeys) {}

  async get(workspaceId: string): Promise<string> {
    const { key } = await this.dataKeys.get(workspaceId);
    const derived = Buffer.from(hkdfSync('sha256', key, workspaceId, 'sluice row policy mask', keyBytes));
    return derived.toString('base64url');
  }
}
