import { Injectable } from '@nestjs/common';
import type { RunPlan } from '#libs/contracts';
import { sealText } from '#libs/encryption';
import type { BoundValue } from '#libs/sql';
import { DataKeys } from './data-keys.js';

/**
 * The values of a run as its row and its job may hold them: a secret only as ciphertext, which workers open. It is bound to
 * the run, and another each time; whether two questions are equal is decided before, by the values in the clear.
 */
@Injectable()
export class ValueSeals {
  constructor(private readonly dataKeys: DataKeys) {}

  async seal(values: readonly BoundValue[], workspaceId: string, runId: string): Promise<RunPlan['values']> {
    const hasSecret = values.some(({ isSecret }) => isSecret);
    const dataKey = hasSecret ? await this.dataKeys.get(workspaceId) : undefined;
    return values.map(({ type, value, isSecret }) => {
      if (value === null) return { type };
      return isSecret && dataKey
        ? { type, sealed: sealText(value, dataKey, `${workspaceId}/${runId}`) }
        : { type, value };
    });
  }
}
